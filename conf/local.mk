examplesdir = $(docdir)/examples
dist_examples_DATA = conf/ethlinkd.conf

# Where the shells look for what completes a command.
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = conf/completion/ethlinkctl
zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = conf/completion/_ethlinkctl

confdir = $(sysconfdir)/ethlinkd

# The user's file: never overwritten, and removed only while it is still the one that was installed.
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(confdir)"
	test -e "$(DESTDIR)$(confdir)/ethlinkd.conf" || \
		$(INSTALL_DATA) "$(srcdir)/conf/ethlinkd.conf" "$(DESTDIR)$(confdir)/ethlinkd.conf"

uninstall-local:
	if cmp -s "$(srcdir)/conf/ethlinkd.conf" "$(DESTDIR)$(confdir)/ethlinkd.conf"; then \
		rm -f "$(DESTDIR)$(confdir)/ethlinkd.conf"; \
	fi
	-rmdir "$(DESTDIR)$(confdir)" 2>/dev/null
