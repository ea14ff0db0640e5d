"""A bi-encoder of few layers."""

from utils.rank import bi_encoder


def small_encoder(*, n_layers=2):
    """The pretrained encoder, cut to its first layers."""
    encoder = bi_encoder.open_encoder()
    bert = encoder[0].auto_model
    bert.encoder.layer = bert.encoder.layer[:n_layers]
    return encoder
