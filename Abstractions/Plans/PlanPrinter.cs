using System.Text;
using KvIL.Ops;

namespace KvIL.Plans;

/// <summary>Prints plans as text that a reader can follow and a test can compare.</summary>
public static class PlanPrinter
{
    /// <summary>One line for each symbol, input, op and output.</summary>
    public static string Print(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var text = new StringBuilder();
        string symbols = string.Join(", ", plan.Symbols.Select(s => $"{s.Name} <= {s.Max}"));
        text.Append($"plan {plan.Name}({symbols})\n");
        foreach (Slot input in plan.Inputs)
        {
            text.Append($"  in   {Name(input)}: {input.Spec}\n");
        }

        foreach (Op op in plan.Ops)
        {
            string arguments = string.Join(", ", op.Reads.Select(Name));
            string parameters = op.Parameters.Length == 0 ? "" : $"; {op.Parameters}";
            text.Append($"  {Name(op.Writes)}: {op.Writes.Spec} = {op.Name}({arguments}{parameters})\n");
        }

        foreach (Slot output in plan.Outputs)
        {
            text.Append($"  out  {Name(output)}\n");
        }

        return text.ToString();
    }

    // Versions of a state carry primes; nameless slots their number.
    private static string Name(Slot slot) => slot.Previous is Slot previous
        ? Name(previous) + "'"
        : slot.Name.Length > 0 ? slot.Name : $"%{slot.Id}";
}
