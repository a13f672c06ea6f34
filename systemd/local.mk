# The units are made here and not by configure, which leaves ${exec_prefix} and the like in its paths. Lines that begin
# with the type of the service in @ are for that type only.
MAKE_UNIT = $(SED) -e 's,^@$(SYSTEMD_SERVICE_TYPE)@,,' -e '/^@notify/d' \
	-e 's,[@]type[@],$(SYSTEMD_SERVICE_TYPE),g' -e 's,[@]sbindir[@],$(sbindir),g' -e 's,[@]bindir[@],$(bindir),g'

EXTRA_DIST += systemd/ethlinkd@.service.in systemd/ethlinkd.service.in
CLEANFILES += systemd/ethlinkd@.service systemd/ethlinkd.service

systemd/ethlinkd@.service: $(srcdir)/systemd/ethlinkd@.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(MAKE_UNIT) '$(srcdir)/systemd/ethlinkd@.service.in' > $@.tmp && mv $@.tmp $@

systemd/ethlinkd.service: $(srcdir)/systemd/ethlinkd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(MAKE_UNIT) '$(srcdir)/systemd/ethlinkd.service.in' > $@.tmp && mv $@.tmp $@

if WITH_SYSTEM_UNIT
systemdsystemunit_DATA = systemd/ethlinkd@.service
endif
if WITH_USER_UNIT
systemduserunit_DATA = systemd/ethlinkd.service
endif

# Who may do what on the system bus.
dbuspolicydir = $(datadir)/dbus-1/system.d
dist_dbuspolicy_DATA = systemd/org.ethlinkd1.conf
