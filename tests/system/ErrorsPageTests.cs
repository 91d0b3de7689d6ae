using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace Imet.SystemTests;

/// <summary>docs/errors.md is written from the contracts: IMET_WRITE=1 writes it anew.</summary>
public sealed partial class ErrorsPageTests
{
    private static readonly (string File, string Service)[] Contracts =
    [
        ("options", "Any service"), ("countryeligibility", "country-eligibility"), ("coursecatalog", "course-catalog"), ("enrollment", "enrollment"), ("events", "The log of events, at any service"),
    ];

    [Fact]
    public async Task The_errors_page_lists_every_reason_with_its_code()
    {
        var root = Repository.Root;
        var expected = Page(root);
        var file = Path.Combine(root, "docs", "errors.md");
        if (Environment.GetEnvironmentVariable("IMET_WRITE") == "1")
            await File.WriteAllTextAsync(file, expected, TestContext.Current.CancellationToken);
        Assert.Equal(expected, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
    }

    private static string Page(string root)
    {
        var page = new StringBuilder("""
            # Reasons

            Every refusal is a canonical gRPC code with a `google.rpc.ErrorInfo` in its details: `reason` is one of these, `domain` is `imet.<service>`. Written from the contracts in `protos/`.

            """.ReplaceLineEndings("\n"));
        foreach (var (folder, service) in Contracts)
        {
            page.Append('\n').Append("## ").Append(service).Append("\n\n| Reason | Code | When, and what to do |\n|---|---|---|\n");
            var text = File.ReadAllText(Path.Combine(root, "protos", "imet", folder, "v1", "errors.proto"));
            foreach (var match in Value().Matches(text).Where(match => match.Groups["code"].Success))
            {
                var why = string.Join(' ', match.Groups["why"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(line => line.TrimStart('/', ' ')));
                page.Append("| `").Append(match.Groups["name"].Value).Append("` | ").Append(match.Groups["code"].Value).Append(" | ").Append(why).Append(" |\n");
            }
        }
        return page.ToString();
    }

    [GeneratedRegex(@"(?<why>(?:^\s*//.*\n)+)\s*(?:COMMON|ERROR)_REASON_(?<name>\w+) = \d+(?: \[\((?:imet\.options\.v1\.)?code\) = (?<code>\w+)\])?;", RegexOptions.Multiline)]
    private static partial Regex Value();
}
