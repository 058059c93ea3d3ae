"""Small problems are solved fastest on one thread, whatever else the machine does."""

import torch

torch.set_num_threads(1)
