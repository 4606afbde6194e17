"""Image classification tasks: published data sets, bundled digits, your own folders."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the image tasks; each is imported only when it is asked for."""
    register("cifar10", "pathnet_evo_images.cifar:Cifar10")
    register("cifar100", "pathnet_evo_images.cifar:Cifar100")
    register("svhn", "pathnet_evo_images.svhn:Svhn")
    register("mnist", "pathnet_evo_images.mnist:Mnist")
    register("fashion-mnist", "pathnet_evo_images.mnist:FashionMnist")
    register("kmnist", "pathnet_evo_images.mnist:Kmnist")
    register("emnist", "pathnet_evo_images.emnist:Emnist")
    register("folder", "pathnet_evo_images.folder:Folder")
    register("digits", "pathnet_evo_images.digits:Digits")
