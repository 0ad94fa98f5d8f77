"""The emulated CUDA device under kith.torch: CPU tensors that stand for tensors on cuda:0.

In a process with KITH_EMULATED_CORE in its environment, conftest.py loads the module `_core` that is built over
the emulated device in the place of the package's own, before anything imports kith. Device memory is host
memory there, so the memory of torch's CPU tensors can be handed over as it is.
"""

import importlib.util
import os
import sys
from contextlib import contextmanager

FILE = os.environ.get("KITH_EMULATED_CORE")
_controls = None


def _load(name):
    spec = importlib.util.spec_from_file_location(name, FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install():
    """`kith._core` becomes the emulated one."""
    global _controls
    sys.modules["kith._core"] = _load("kith._core")
    _controls = _load("_emulation")


class EmulatedDevice:
    """Takes the place of what kith.torch.device asks torch: while it is active, every tensor is on cuda:0."""

    is_emulated = True

    def __init__(self, monkeypatch):
        import torch
        from kith.torch import device

        self.controls = _controls
        self.stream = self.controls.make_stream()
        self.uploads = []
        self._is_active = False
        self._on_cpu = []
        self._cuda = torch.device("cuda", 0)
        self._torch = torch
        # Kernels read and write memory that the emulation does not know: it cannot run them twice from the same
        # state. They run when they are launched, as CPU tensors are read right after.
        self.controls.set_num_orders(1)
        self.controls.set_late(False)
        monkeypatch.setattr(device, "device_of", self._device_of)
        monkeypatch.setattr(device, "current_stream", lambda device: self.stream)
        monkeypatch.setattr(device, "upload", self._upload)

    def _device_of(self, tensor):
        is_here = self._is_active and not any(tensor is other for other in self._on_cpu)
        return self._cuda if is_here else tensor.device

    def _upload(self, array, device):
        assert device == self._cuda
        self.uploads.append(array)
        return self._torch.from_numpy(array.copy())

    @contextmanager
    def active(self):
        self._is_active = True
        try:
            yield
        finally:
            self._is_active = False

    def tensor(self, tensor):
        """A copy on the device."""
        return tensor.detach().clone().requires_grad_(tensor.requires_grad)

    def module(self, module):
        return module

    def cpu_tensor(self, tensor):
        """The tensor, to be taken for one on the CPU."""
        self._on_cpu.append(tensor)
        return tensor


class RealDevice:
    """The same over torch with CUDA."""

    is_emulated = False

    def __init__(self, monkeypatch):
        from kith.torch import device

        self.uploads = []
        upload = device.upload

        def count(array, to):
            self.uploads.append(array)
            return upload(array, to)

        monkeypatch.setattr(device, "upload", count)

    @contextmanager
    def active(self):
        yield

    def tensor(self, tensor):
        return tensor.detach().cuda().requires_grad_(tensor.requires_grad)

    def module(self, module):
        return module.cuda()

    def cpu_tensor(self, tensor):
        return tensor.cpu()
