"""PyTorch is an extra: fitted autoencoders rank and sample without it, and only training asks."""


def check_torch() -> None:
    """Raise unless PyTorch can be imported; whatever trains calls it before its own imports.

    Raises
    ------
    ImportError
        With the command that installs it.
    """
    try:
        import torch  # noqa: F401  # whether it is there
    except ImportError as error:
        msg = "`VAE` needs PyTorch. Install it with: pip install cornac-mle[vae]"
        raise ImportError(msg) from error
