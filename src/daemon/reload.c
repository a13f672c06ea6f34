#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/iface.h"
#include "daemon/manager.h"
#include "daemon/netvst.h"
#include "daemon/server.h"
#include "net/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static struct device *find_device(struct manager *m, const char *name)
{
	for (unsigned i = 0; i < m->n_devices; i++) {
		if (strcmp(m->devices[i]->conf->name, name) == 0) {
			return m->devices[i];
		}
	}
	return NULL;
}

static const struct conf_device *find_conf(const struct conf *conf, const char *name)
{
	for (unsigned i = 0; i < conf->n_devices; i++) {
		if (strcmp(conf->devices[i].name, name) == 0) {
			return &conf->devices[i];
		}
	}
	return NULL;
}

int manager_get_iface(struct manager *m, const char *name, struct iface **ret_iface)
{
	struct iface *iface = iface_find(m, name);
	int r;

	if (!iface) {
		if (m->n_ifaces == MANAGER_DEVICES_MAX) {
			return -ENOSPC;
		}
		r = iface_new(m, name, &iface);
		if (r < 0) {
			return r;
		}
		m->ifaces[m->n_ifaces++] = iface;
		/* Of an interface that is there already there will be no news. */
		if (m->links) {
			(void)link_monitor_ask(m->links);
		}
	}
	*ret_iface = iface;
	return 0;
}

static int add_device(struct manager *m, struct conf *conf, const struct conf_device *dev)
{
	struct iface *iface = NULL;
	int r = m->n_devices == MANAGER_DEVICES_MAX ? -ENOSPC : manager_get_iface(m, dev->interface, &iface);

	r = r < 0 ? r : device_new(m, conf, dev, iface, &m->devices[m->n_devices]);
	if (r < 0) {
		log_about(LOG_ERROR, dev->name, dev->interface, "%s: cannot add the device: %s", dev->name,
			strerror(-r));
		return r;
	}
	if (manager_knows_format(m)) {
		device_format_changed(m->devices[m->n_devices]);
	}
	m->n_devices++;
	bus_device_added(m->bus, m->devices[m->n_devices - 1]);
	return 0;
}

/* As in the configuration; those that leave come last. */
static unsigned place(const struct manager *m, const struct device *d)
{
	const struct conf_device *dev = d->leaving ? NULL : find_conf(m->conf, d->conf->name);

	return dev ? (unsigned)(dev - m->conf->devices) : CONF_DEVICES_MAX;
}

static void sort_devices(struct manager *m)
{
	for (unsigned i = 1; i < m->n_devices; i++) {
		struct device *d = m->devices[i];
		unsigned k = i;

		for (; k > 0 && place(m, m->devices[k - 1]) > place(m, d); k--) {
			m->devices[k] = m->devices[k - 1];
		}
		m->devices[k] = d;
	}
}

/* --- netvst sections --- */

static struct netvst *find_netvst(struct manager *m, const char *name)
{
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		if (strcmp(m->netvsts[i]->conf->name, name) == 0) {
			return m->netvsts[i];
		}
	}
	return NULL;
}

static const struct conf_netvst *find_netvst_conf(const struct conf *conf, const char *name)
{
	for (unsigned i = 0; i < conf->n_netvsts; i++) {
		if (strcmp(conf->netvsts[i].name, name) == 0) {
			return &conf->netvsts[i];
		}
	}
	return NULL;
}

static int add_netvst(struct manager *m, struct conf *conf, const struct conf_netvst *section)
{
	struct netvst *nv;
	int r = m->n_netvsts == MANAGER_NETVSTS_MAX ? -ENOSPC : netvst_new(m, conf, section, &nv);

	if (r < 0) {
		log_about(LOG_ERROR, section->name, NULL, "%s: cannot be added: %s", section->name,
			strerror(-r));
		return r;
	}
	m->netvsts[m->n_netvsts++] = nv;
	bus_netvst_added(m->bus, nv);
	return 0;
}

static unsigned netvst_place(const struct manager *m, const struct netvst *nv)
{
	const struct conf_netvst *section = nv->leaving ? NULL : find_netvst_conf(m->conf, nv->conf->name);

	return section ? (unsigned)(section - m->conf->netvsts) : CONF_NETVSTS_MAX;
}

static void sort_netvsts(struct manager *m)
{
	for (unsigned i = 1; i < m->n_netvsts; i++) {
		struct netvst *nv = m->netvsts[i];
		unsigned k = i;

		for (; k > 0 && netvst_place(m, m->netvsts[k - 1]) > netvst_place(m, nv); k--) {
			m->netvsts[k] = m->netvsts[k - 1];
		}
		m->netvsts[k] = nv;
	}
}

static int configure_netvsts(struct manager *m, struct conf *conf)
{
	int r = 0;

	for (unsigned i = 0; i < m->n_netvsts; i++) {
		struct netvst *nv = m->netvsts[i];

		if (!find_netvst_conf(conf, nv->conf->name) && !nv->leaving) {
			netvst_log(nv, LOG_INFO, "no longer configured: fading out");
			nv->leaving = true;
		}
	}
	for (unsigned i = 0; i < conf->n_netvsts; i++) {
		struct netvst *nv = find_netvst(m, conf->netvsts[i].name);
		int failed = 0;

		if (nv) {
			netvst_configure(nv, conf, &conf->netvsts[i]);
		} else {
			failed = add_netvst(m, conf, &conf->netvsts[i]);
		}
		r = r < 0 ? r : failed;
	}
	sort_netvsts(m);
	return r;
}

static void sweep_netvsts(struct manager *m)
{
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		struct netvst *nv = m->netvsts[i];

		if (netvst_is_gone(nv)) {
			m->n_netvsts--;
			memmove(&m->netvsts[i], &m->netvsts[i + 1],
				(m->n_netvsts - i) * sizeof(m->netvsts[0]));
			bus_netvst_removed(m->bus, nv);
			netvst_free(nv);
			i--;
		}
	}
}

/* --- the whole --- */

int manager_configure(struct manager *m, struct conf *conf)
{
	struct conf *old = m->conf;
	int r = 0, failed;

	m->conf = conf;
	log_set_level(conf->log_level);
	for (unsigned i = 0; i < m->n_devices; i++) {
		struct device *d = m->devices[i];

		if (!find_conf(conf, d->conf->name) && !d->leaving) {
			device_log(d, LOG_INFO, "no longer configured: fading out");
			d->leaving = true;
		}
	}
	for (unsigned i = 0; i < conf->n_devices; i++) {
		struct device *d = find_device(m, conf->devices[i].name);

		failed = 0;
		if (d) {
			device_configure(d, conf, &conf->devices[i]);
		} else {
			failed = add_device(m, conf, &conf->devices[i]);
		}
		r = r < 0 ? r : failed;
	}
	sort_devices(m);
	failed = configure_netvsts(m, conf);
	r = r < 0 ? r : failed;
	if (old) {
		server_configure(m, old);
	}
	bus_configure(m->bus);
	conf_unref(old);
	manager_hurry(m);
	return r;
}

void manager_sweep(struct manager *m)
{
	for (unsigned i = 0; i < m->n_devices; i++) {
		struct device *d = m->devices[i];

		if (d->leaving && device_idle(d)) {
			if (d->state == DEVICE_ONLINE) {
				hold_tell(d, false);
			}
			m->n_devices--;
			memmove(&m->devices[i], &m->devices[i + 1],
				(m->n_devices - i) * sizeof(m->devices[0]));
			bus_device_removed(m->bus, d);
			device_free(d);
			i--;
		}
	}
	sweep_netvsts(m);
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		if (iface_unused(m->ifaces[i])) {
			iface_free(m->ifaces[i]);
			m->ifaces[i--] = m->ifaces[--m->n_ifaces];
		}
	}
}

struct listener {
	conf_error_fn error;
	void *data;
};

static void on_error(void *data, const char *text)
{
	const struct listener *listener = data;

	log_error("%s", text);
	if (listener->error) {
		listener->error(listener->data, text);
	}
}

int manager_reload(struct manager *m, conf_error_fn error, void *data)
{
	struct listener listener = {.error = error, .data = data};
	struct conf *conf = NULL;
	int r;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(now_ns() / NSEC_PER_USEC));
	r = source_load(&m->source, on_error, &listener, &conf);
	if (r < 0) {
		log_error("%s is not used: all stays as it was; repair it and reload again", m->source.path);
	} else {
		log_info("the configuration was read again: %s, %u device%s, %u netvst section%s",
			m->source.path, conf->n_devices, conf->n_devices == 1 ? "" : "s", conf->n_netvsts,
			conf->n_netvsts == 1 ? "" : "s");
		r = manager_configure(m, conf);
		if (r < 0) {
			on_error(
				&listener, "not all devices and netvst sections could be added; see the log");
		}
	}
	manager_ready(m);
	return r;
}
