using System.Text.RegularExpressions;
using KvIL.Conformance.Theorems;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary><c>docs/laws.md</c> says what the laws are, and every number of the specification is in it.</summary>
public sealed class LawsDocumentTests
{
    [Fact]
    public void The_document_is_what_the_laws_say() => Assert.True(
        File.ReadAllText(LawsDocument.FilePath) == LawsDocument.Text(), "docs/laws.md is stale. Run: dotnet run --project Tests -c Release -- --write-laws");

    [Fact]
    public void Every_number_has_a_law_or_a_test_or_a_reason()
    {
        string[] numbers = [.. Enumerable.Range(1, 47).Select(n => $"P{n}"), .. Enumerable.Range(1, 12).Select(n => $"R{n}")];
        IEnumerable<string> covered = EvictionLaws.All.Select(law => law.Number).Concat(LawsDocument.Elsewhere.Select(e => e.Number));
        Assert.Empty(numbers.Except(covered.Select(n => Regex.Match(n, @"^[A-Z]\d+").Value)));
    }

    [Fact]
    public void Numbers_and_names_are_distinct()
    {
        Assert.Equal(EvictionLaws.All.Count, EvictionLaws.All.Select(law => law.Number).Distinct().Count());
        Assert.Equal(EvictionLaws.All.Count, EvictionLaws.All.Select(law => law.Name).Distinct().Count());
    }

    [Fact]
    public void Tests_that_are_named_exist() => Assert.All(LawsDocument.Elsewhere.SelectMany(e => e.Tests).Concat(SharingLawsDocument.Elsewhere.SelectMany(e => e.Tests)), name =>
    {
        string[] parts = name.Split('.');
        Assert.Contains(typeof(LawsDocumentTests).Assembly.GetTypes(), type => type.Name == parts[0] && type.GetMethod(parts[1]) is not null);
    });
}
