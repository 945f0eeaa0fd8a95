"""Variational autoencoder of item sets, with several latent densities to draw users from."""

from cornac_mle.models.vae.model import VAE

__all__ = ["VAE"]
