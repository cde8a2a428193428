"""Piranha: the configuration tool and the engine for Linux Virtual Server router pairs."""
