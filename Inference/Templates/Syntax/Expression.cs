using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Syntax;

/// <summary>Something with a value.</summary>
/// <param name="Line">Where it stands, for messages.</param>
internal abstract record Expression(int Line);

/// <summary>A value that stands there.</summary>
internal sealed record Literal(JinjaValue Value, int Line) : Expression(Line);

/// <summary><c>x</c></summary>
internal sealed record Name(string Id, int Line) : Expression(Line);

/// <summary><c>[a, b]</c>, or <c>(a, b)</c>.</summary>
internal sealed record Sequence(IReadOnlyList<Expression> Items, bool IsTuple, int Line) : Expression(Line);

/// <summary><c>{a: b}</c></summary>
internal sealed record Mapping(IReadOnlyList<(Expression Key, Expression Value)> Items, int Line) : Expression(Line);

/// <summary><c>not a</c></summary>
internal sealed record Not(Expression Operand, int Line) : Expression(Line);

/// <summary><c>-a</c>, <c>+a</c></summary>
internal sealed record Signed(bool Negative, Expression Operand, int Line) : Expression(Line);

/// <summary><c>a and b</c>, <c>a or b</c>: one of the operands.</summary>
internal sealed record Logical(bool IsAnd, Expression Left, Expression Right, int Line) : Expression(Line);

/// <summary><c>+ - * / // % **</c></summary>
internal sealed record Arithmetic(string Operator, Expression Left, Expression Right, int Line) : Expression(Line);

/// <summary><c>a &lt; b &lt;= c</c>: true if each pair is.</summary>
internal sealed record Comparison(Expression First, IReadOnlyList<(string Operator, Expression Operand)> Rest, int Line) : Expression(Line);

/// <summary><c>a ~ b</c>: their texts joined.</summary>
internal sealed record Concatenation(IReadOnlyList<Expression> Parts, int Line) : Expression(Line);

/// <summary><c>a if test else b</c>; undefined without an else.</summary>
internal sealed record Conditional(Expression Test, Expression Then, Expression? Else, int Line) : Expression(Line);

/// <summary><c>a.b</c></summary>
internal sealed record AttributeOf(Expression Target, string Id, int Line) : Expression(Line);

/// <summary><c>a[b]</c></summary>
internal sealed record ItemOf(Expression Target, Expression Key, int Line) : Expression(Line);

/// <summary><c>a[start:stop:step]</c></summary>
internal sealed record SliceOf(Expression Target, Expression? Start, Expression? Stop, Expression? Step, int Line) : Expression(Line);

/// <summary><c>f(a, b=c)</c></summary>
internal sealed record Call(Expression Callee, CallSyntax Arguments, int Line) : Expression(Line);

/// <summary><c>a | name(b)</c>; without an input it stands in a filter block.</summary>
internal sealed record FilterCall(Expression? Input, string Id, CallSyntax Arguments, int Line) : Expression(Line);

/// <summary><c>a is name(b)</c></summary>
internal sealed record TestCall(Expression Input, string Id, CallSyntax Arguments, int Line) : Expression(Line);

/// <summary>What stands between the parentheses of a call.</summary>
/// <param name="Positional">The plain arguments.</param>
/// <param name="Named">Those with a name.</param>
/// <param name="Spread">The list after <c>*</c>.</param>
/// <param name="NamedSpread">The dict after <c>**</c>.</param>
internal sealed record CallSyntax(
    IReadOnlyList<Expression> Positional,
    IReadOnlyList<(string Name, Expression Value)> Named,
    Expression? Spread,
    Expression? NamedSpread)
{
    public static CallSyntax None { get; } = new([], [], null, null);
}
