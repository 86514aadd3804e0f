"""Classical quantized compressed sensing: the baselines of the DeepQCS paper and the limits no codec can pass."""
