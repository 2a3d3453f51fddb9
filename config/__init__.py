"""The wiring: settings, paths, servers. It knows every app; no app imports it except `config.api`."""
