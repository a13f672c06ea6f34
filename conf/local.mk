examplesdir = $(docdir)/examples
dist_examples_DATA = conf/ethlinkd.conf

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
