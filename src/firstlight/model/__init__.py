"""From a plan to nn.Modules, their fitting, and their answers (steps 2 to 4)."""
