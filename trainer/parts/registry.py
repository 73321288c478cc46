"""Parts: named functions whose keyword-only signature is their schema.

A registry holds one kind of part. ``@layers.part("dense")`` registers a function; its
keyword-only parameters become the fields of a spec, their annotations and ``Param`` limits
the checks, its docstring the documentation. The positional parameters are what the engine
passes in (nodes, targets, seeds) and say how many inputs a part takes. The idea follows
explosion/confection's registry, without its run-time configuration.
"""

import inspect
from collections import OrderedDict

REQUIRED = object()


class Param:
    """Default and limits of one keyword-only parameter.

    ``part`` names the kind of part that the value is (an activation, a schedule): a spec then
    gives a part's name or its full form, and where ``number`` is set a plain number as well.
    ``documentation`` says what the part's docstring does not. ``empty`` allows a list without elements.
    Of a recipe, ``field`` says that the value names fields of the data set and which fit (a word of
    ``jobs.specs.recipes``), and ``into`` names the key of the spec that the value ends in, so that the two
    cannot contradict each other; ``base`` says that the value is the id of a base model.
    """

    def __init__(
        self,
        default=REQUIRED,
        gt=None,
        ge=None,
        lt=None,
        le=None,
        choices=None,
        part=None,
        number=None,
        documentation=None,
        empty=False,
        field=None,
        into=None,
        base=False,
    ):
        self.default = default
        self.limits = {
            key: value for key, value in (("gt", gt), ("ge", ge), ("lt", lt), ("le", le)) if value is not None
        }
        self.choices = choices
        self.part = part
        self.number = number
        """Name of the part (with the number as its only argument) that a plain number stands for."""
        self.documentation = documentation
        self.empty = empty
        self.field = field
        self.into = into
        self.base = base

    @property
    def required(self):
        return self.default is REQUIRED


class Part:
    """One registered function with what its signature and decorators say."""

    def __init__(self, kind, name, function, facts):
        self.kind = kind
        self.name = name
        self.function = function
        self.facts = facts
        """What the kind needs to know besides parameters, such as the target a loss takes."""
        self.plan = None
        """For layers: (input shapes, **params) -> Plan, without CNTK."""
        signature = inspect.signature(function)
        self.params = OrderedDict()
        self.positional = []
        self.variadic = False
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                param = parameter.default
                if not isinstance(param, Param):
                    param = Param(REQUIRED if param is parameter.empty else param)
                self.params[parameter.name] = (parameter.annotation, param)
            elif parameter.kind is parameter.VAR_POSITIONAL:
                self.variadic = True
            else:
                self.positional.append(parameter.name)

    @property
    def documentation(self):
        return inspect.getdoc(self.function) or ""

    def planned(self, function):
        """Decorator: the pure shape rule of a layer."""
        self.plan = function
        return function

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


class Registry:
    """All parts of one kind, by name."""

    def __init__(self, kind):
        self.kind = kind
        self.parts = OrderedDict()

    def part(self, name, **facts):
        """Decorator that registers a function as part ``name``."""

        def register(function):
            if name in self.parts:
                raise ValueError("two %s parts are named %r" % (self.kind, name))
            self.parts[name] = Part(self.kind, name, function, facts)
            return self.parts[name]

        return register

    def __getitem__(self, name):
        return self.parts[name]

    def __iter__(self):
        return iter(self.parts.values())

    def build(self, document, *args, **context):
        """Call the part that ``document`` describes: {"type": name, parameter: value, …}.

        ``context`` are further keyword arguments that the engine passes and a spec does not.
        """
        values = {key: value for key, value in document.items() if key != "type"}
        return self.parts[document["type"]](*args, **dict(context, **values))


class Plan:
    """What a layer will be, known before CNTK builds it.

    ``shape`` is the shape of its output for one example, ``parameters`` maps the name of each
    trainable parameter to its shape, ``sequence`` says whether the output is a sequence.
    """

    def __init__(self, shape, parameters=None):
        self.shape = tuple(int(n) for n in shape)
        self.parameters = OrderedDict(parameters or ())


class PlanError(Exception):
    """Shapes that do not fit; the message names both."""
