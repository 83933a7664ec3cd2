namespace KvIL.Inference.Templates.Syntax;

/// <summary>Something that writes text or changes a variable.</summary>
internal abstract record Statement(int Line);

/// <summary>Text between tags.</summary>
internal sealed record Text(string Value, int Line) : Statement(Line);

/// <summary><c>{{ value }}</c></summary>
internal sealed record Output(Expression Value, int Line) : Statement(Line);

/// <summary><c>{% if %} {% elif %} {% else %}</c></summary>
internal sealed record If(
    IReadOnlyList<(Expression Test, IReadOnlyList<Statement> Body)> Branches, IReadOnlyList<Statement> Else, int Line) : Statement(Line);

/// <summary><c>{% for target in items if test recursive %} {% else %}</c></summary>
internal sealed record For(
    Target Target,
    Expression Items,
    Expression? Test,
    bool IsRecursive,
    IReadOnlyList<Statement> Body,
    IReadOnlyList<Statement> Else,
    int Line) : Statement(Line);

/// <summary><c>{% break %}</c>, <c>{% continue %}</c></summary>
internal sealed record Jump(bool Breaks, int Line) : Statement(Line);

/// <summary><c>{% set target = value %}</c></summary>
internal sealed record Set(Target Target, Expression Value, int Line) : Statement(Line);

/// <summary><c>{% set target | filters %} {% endset %}</c></summary>
internal sealed record SetBlock(Target Target, IReadOnlyList<FilterCall> Filters, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

/// <summary><c>{% filter filters %} {% endfilter %}</c></summary>
internal sealed record FilterBlock(IReadOnlyList<FilterCall> Filters, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

/// <summary><c>{% with a = b %} {% endwith %}</c></summary>
internal sealed record With(IReadOnlyList<(Target Target, Expression Value)> Assignments, IReadOnlyList<Statement> Body, int Line) : Statement(Line);

/// <summary><c>{% generation %} {% endgeneration %}</c>: marks what the model wrote; its body is rendered.</summary>
internal sealed record GenerationBlock(IReadOnlyList<Statement> Body, int Line) : Statement(Line);

/// <summary><c>{% macro name(parameters) %} {% endmacro %}</c></summary>
internal sealed record Macro(string Id, MacroSyntax Syntax, int Line) : Statement(Line);

/// <summary><c>{% call(parameters) f() %} {% endcall %}</c></summary>
internal sealed record CallBlock(MacroSyntax Caller, Call Call, int Line) : Statement(Line);

/// <summary>A macro's parameters and body.</summary>
/// <param name="Parameters">Names, with the value of those that have one unless given.</param>
/// <param name="Body">What it renders.</param>
/// <param name="Names">Names that the body reads: whether it takes <c>caller</c>, <c>varargs</c> and <c>kwargs</c>.</param>
internal sealed record MacroSyntax(
    IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body, IReadOnlySet<string> Names);

/// <summary>What a value is given to.</summary>
internal abstract record Target(int Line);

/// <summary>A variable.</summary>
internal sealed record NameTarget(string Id, int Line) : Target(Line);

/// <summary>An attribute of a namespace.</summary>
internal sealed record AttributeTarget(string Namespace, string Id, int Line) : Target(Line);

/// <summary>Several targets, one for each item.</summary>
internal sealed record TupleTarget(IReadOnlyList<Target> Items, int Line) : Target(Line);
