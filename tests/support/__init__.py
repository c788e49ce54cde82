"""What tests share. Imported before torch, which reads its settings when it is first imported."""

from wsss.machine.torch_settings import set_torch_defaults

set_torch_defaults()
