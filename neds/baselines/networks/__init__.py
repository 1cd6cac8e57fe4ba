"""Networks that NEDS is compared with: NDT2 and POYO+."""
