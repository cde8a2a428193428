"""The commands: piranha, pulse, piranha-gui, piranha-passwd."""
