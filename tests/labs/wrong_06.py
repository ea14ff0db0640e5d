"""Lab 06 as learners get it wrong: (task, function, what the message has to name)."""

import numpy as np
import torch


def one_scale(weight):
    scale = np.abs(weight).max() / 127
    return np.round(weight / scale), np.full(len(weight), scale)


def scales_of_inputs(weight):
    largest = np.abs(weight).max(axis=0)
    scales = np.where(largest > 0, largest / 127, 1.0)
    return np.round(weight / scales), scales


def grid_to_128(weight):
    largest = np.abs(weight).max(axis=1)
    scales = np.where(largest > 0, largest / 128, 1.0)
    return np.clip(np.round(weight / scales[:, None]), -128, 128), scales


def cut_off(weight):
    largest = np.abs(weight).max(axis=1)
    scales = np.where(largest > 0, largest / 127, 1.0)
    return (weight / scales[:, None]).astype(int), scales


def scale_of_0(weight):
    scales = np.abs(weight).max(axis=1) / 127
    return np.round(weight / scales[:, None]), scales


def error(values, limit, n_bits):
    n_steps = 2 ** (n_bits - 1) - 1
    step = limit / n_steps
    return (values / step).round().clip(-n_steps, n_steps) * step - values


def limit_of_the_largest(values, limits, n_bits):
    return min(limits, key=lambda limit: abs(limit - np.abs(values).max()))


def limit_of_what_is_within(values, limits, n_bits):
    kept = {limit: values[np.abs(values) <= limit] for limit in limits}
    return min(limits, key=lambda limit: np.mean(error(kept[limit], limit, n_bits) ** 2))


def limit_of_the_median_error(values, limits, n_bits):
    return min(limits, key=lambda limit: np.median(np.abs(error(values, limit, n_bits))))


def limit_of_a_step_too_many(values, limits, n_bits):
    def mse(limit):
        n = 2 ** (n_bits - 1)
        return np.mean((np.clip(np.round(values / limit * n), -n, n) * limit / n - values) ** 2)

    return min(limits, key=mse)


def product_down_to_minus_128(inputs, input_scale, whole, scales, bias):
    rounded = np.clip(np.round(inputs / input_scale), -128, 127).astype(int)
    return rounded @ whole.astype(int).T * input_scale * scales + bias


def product_of_floats(inputs, input_scale, whole, scales, bias):
    return np.clip(inputs / input_scale, -127, 127) @ whole.T.astype(float) * input_scale * scales + bias


def product_in_8_bits(inputs, input_scale, whole, scales, bias):
    rounded = np.clip(np.round(inputs / input_scale), -127, 127).astype(np.int8)
    return (rounded @ whole.T) * input_scale * scales + bias


def product_without_clipping(inputs, input_scale, whole, scales, bias):
    return (np.round(inputs / input_scale) @ whole.T.astype(float)) * input_scale * scales + bias


def product_without_the_scale_of_inputs(inputs, input_scale, whole, scales, bias):
    return np.clip(np.round(inputs / input_scale), -127, 127) @ whole.T.astype(float) * scales + bias


def product_with_a_scaled_bias(inputs, input_scale, whole, scales, bias):
    return (np.clip(np.round(inputs / input_scale), -127, 127) @ whole.T.astype(float) + bias) * input_scale * scales


def fake_without_a_way_through(values, limit):
    step = limit / 127
    return torch.round(values.clamp(-limit, limit) / step) * step


def fake_with_a_way_everywhere(values, limit):
    step = limit / 127
    return values + (torch.round(values.clamp(-limit, limit) / step) * step - values).detach()


def fake_without_clipping(values, limit):
    step = limit / 127
    return values + (torch.round(values / step) * step - values).detach()


def fake_without_rounding(values, limit):
    return values.clamp(-limit, limit)


def fake_and_detached(values, limit):
    return fake_without_a_way_through(values, limit).detach()


WRONG = [
    ("quantize", one_scale, "one scale for all outputs"),
    ("quantize", scales_of_inputs, "each input"),
    ("quantize", grid_to_128, "to 128"),
    ("quantize", cut_off, "cut off and not rounded"),
    ("quantize", scale_of_0, "not finite"),
    ("choose_limit", limit_of_the_largest, "the largest value decides"),
    ("choose_limit", limit_of_what_is_within, "more than half a step"),
    ("choose_limit", limit_of_the_median_error, "the middle of the errors"),
    ("choose_limit", limit_of_a_step_too_many, "one step too many"),
    ("int8_product", product_down_to_minus_128, "down to -128"),
    ("int8_product", product_of_floats, "are not rounded"),
    ("int8_product", product_in_8_bits, "overflow"),
    ("int8_product", product_without_clipping, "not clipped"),
    ("int8_product", product_without_the_scale_of_inputs, "the scale of the inputs"),
    ("int8_product", product_with_a_scaled_bias, "the bias is multiplied"),
    ("fake_quantize", fake_without_a_way_through, "which is 0"),
    ("fake_quantize", fake_with_a_way_everywhere, "beyond the limit as well"),
    ("fake_quantize", fake_without_clipping, "not moved to it"),
    ("fake_quantize", fake_without_rounding, "nothing is rounded"),
    ("fake_quantize", fake_and_detached, "no gradient flows"),
]
