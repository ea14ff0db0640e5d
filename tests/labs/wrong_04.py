"""Lab 04 as learners get it wrong: (task, function, what the message has to name)."""

import itertools

import torch
import torch.nn.functional as F


def mse_of_scores(student, teacher):
    return F.mse_loss(student, teacher)


def margins_of_neighbours(student, teacher):
    return F.mse_loss(student[1:] - student[:-1], teacher[1:] - teacher[:-1])


def margins_with_oneself(student, teacher):
    return F.mse_loss(student[:, None] - student, teacher[:, None] - teacher)


def margins_without_signs(student, teacher):
    found = [
        ((student[i] - student[j]).abs() - (teacher[i] - teacher[j]).abs()) ** 2
        for i, j in itertools.combinations(range(len(student)), 2)
    ]
    return torch.stack(found).mean()


def shares(gains):
    above = gains - gains.min()
    return above / above.sum().clamp(min=1e-9)


def cross_entropy(student, wanted):
    return -(wanted * student.log_softmax(0)).sum()


def mixture_turned(student, teacher, gains, label_weight):
    labels, scores = cross_entropy(student, shares(gains)), cross_entropy(student, teacher.softmax(0))
    return (1 - label_weight) * labels + label_weight * scores


def mixture_of_wholes(student, teacher, gains, label_weight):
    return cross_entropy(student, shares(gains)) + cross_entropy(student, teacher.softmax(0))


def mixture_before_the_softmax(student, teacher, gains, label_weight):
    return cross_entropy(student, (label_weight * gains + (1 - label_weight) * teacher).softmax(0))


def mixture_with_raw_scores(student, teacher, gains, label_weight):
    labels, scores = cross_entropy(student, shares(gains)), cross_entropy(student, teacher)
    return label_weight * labels + (1 - label_weight) * scores


def mean_of(student, wanted, loss):
    return torch.stack([loss(one, other) for one, other in zip(student, wanted, strict=True)]).mean()


def step_with_dropout(student, teacher, features, optimizer, loss):
    optimizer.zero_grad()
    with torch.no_grad():
        wanted = teacher.train()(features).squeeze(-1)
    value = mean_of(student(features).squeeze(-1), wanted, loss)
    value.backward()
    optimizer.step()
    return value.item()


def step_that_reaches_the_teacher(student, teacher, features, optimizer, loss):
    teacher.eval()
    optimizer.zero_grad()
    value = mean_of(student(features).squeeze(-1), teacher(features).squeeze(-1), loss)
    value.backward()
    optimizer.step()
    return value.item()


def step_with_a_turned_loss(student, teacher, features, optimizer, loss):
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        wanted = teacher(features).squeeze(-1)
    value = mean_of(wanted, student(features).squeeze(-1), loss)
    value.backward()
    optimizer.step()
    return value.item()


def step_with_old_gradients(student, teacher, features, optimizer, loss):
    teacher.eval()
    with torch.no_grad():
        wanted = teacher(features).squeeze(-1)
    value = mean_of(student(features).squeeze(-1), wanted, loss)
    value.backward()
    optimizer.step()
    return value.item()


def step_of_a_beginner(student, teacher, features, optimizer, loss):
    """Neither evaluation mode nor no_grad."""
    optimizer.zero_grad()
    value = mean_of(student(features).squeeze(-1), teacher(features).squeeze(-1), loss)
    value.backward()
    optimizer.step()
    return value.item()


def step_that_gives_a_tensor(student, teacher, features, optimizer, loss):
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        wanted = teacher(features).squeeze(-1)
    value = mean_of(student(features).squeeze(-1), wanted, loss)
    value.backward()
    optimizer.step()
    return value


def mixture_with_the_lowest_gain(student, teacher, gains, label_weight):
    labels, scores = cross_entropy(student, gains / gains.sum()), cross_entropy(student, teacher.softmax(0))
    return label_weight * labels + (1 - label_weight) * scores


WRONG = [
    ("distillation_step", step_of_a_beginner, "gradients reach it as well"),
    ("distillation_step", step_that_gives_a_tensor, "a Tensor came back; give a Python number"),
    ("mixture", mixture_with_the_lowest_gain, "the lowest gain"),
    ("margin_mse", mse_of_scores, "scores are compared"),
    ("margin_mse", margins_of_neighbours, "only neighbours"),
    ("margin_mse", margins_with_oneself, "with itself"),
    ("margin_mse", margins_without_signs, "without their sign"),
    ("mixture", mixture_turned, "each other's weight"),
    ("mixture", mixture_of_wholes, "both parts count whole"),
    ("mixture", mixture_before_the_softmax, "before the softmax"),
    ("mixture", mixture_with_raw_scores, "without a softmax"),
    ("distillation_step", step_with_dropout, "as if it were in training"),
    ("distillation_step", step_that_reaches_the_teacher, "at the teacher's weights"),
    ("distillation_step", step_with_a_turned_loss, "changed places"),
    ("distillation_step", step_with_old_gradients, "the step before"),
]
