"""What the IPVS table should hold, and the ordered steps that bring it there. Pure."""
