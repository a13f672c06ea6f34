dist_man_MANS += \
	man/ethlinkd.8 \
	man/ethlinkd.conf.5 \
	man/ethlinkctl.1 \
	man/org.ethlinkd1.5

if WITH_EMULATOR
dist_man_MANS += man/ethlink-emu.1 man/netvst-echo.1
endif
