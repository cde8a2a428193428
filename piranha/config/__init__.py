"""The lvs.cf language: text <-> document <-> cluster, and every fault in it. Pure."""
