"""The variants of a stage, and what one answers: what every test of a stage starts from."""

from technobench.pipeline import registry


def variants_of(stage):
    return {name: variant for (of, name), variant in registry.variants().items() if of == stage}


def answer_of(variant, problem):
    prepared = variant.prepare(problem)
    return prepared.fetch(prepared.run())


def answer_and_device(variant, problem):
    prepared = variant.prepare(problem)
    return prepared.fetch(prepared.run()), prepared.ran_on()
