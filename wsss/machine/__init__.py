"""The machine below: devices, processes, nodes, precision, the scheduler."""
