"""Reply -> verdict -> up or down -> weight. Pure."""
