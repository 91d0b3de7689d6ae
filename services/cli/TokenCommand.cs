using System.CommandLine;

namespace Imet.Cli;

/// <summary>imet token: a bearer token of the local stack on standard output.</summary>
public static class TokenCommand
{
    public static Command Command()
    {
        var subject = new Option<string>("--subject") { Description = "Who calls.", DefaultValueFactory = _ => "developer" };
        var scopes = new Option<string[]>("--scopes") { Description = "What the token allows, by space or comma. Else all scopes.", AllowMultipleArgumentsPerToken = true };
        var countries = new Option<string[]>("--country") { Description = "The countries that the caller is limited to (alpha-3). Else all.", AllowMultipleArgumentsPerToken = true };
        var hours = new Option<double>("--hours") { Description = "How long the token is good for, at most 24.", DefaultValueFactory = _ => 8 };
        var keys = BearerToken.KeysOption();
        hours.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && double.TryParse(result.Tokens[0].Value, out var given) && given is not (> 0 and <= 24))
                result.AddError("--hours must be above 0 and at most 24.");
        });

        var command = new Command("token", "Make a bearer token with the local stack's key. Services elsewhere take tokens of their own issuer only.") { subject, scopes, countries, hours, keys };
        command.SetAction(parsed =>
        {
            using var tokens = BearerToken.Issuer(parsed.GetValue(keys));
            var allowed = Words(parsed.GetValue(scopes));
            if (allowed.Except(Tokens.AllScopes).ToArray() is { Length: > 0 } unknown)
                throw new CouldNotRunException($"Unknown scope {string.Join(", ", unknown)}; there are {string.Join(", ", Tokens.AllScopes)}.");
            Console.WriteLine(tokens.Mint(
                parsed.GetRequiredValue(subject), allowed.Length > 0 ? allowed : Tokens.AllScopes, Words(parsed.GetValue(countries)), Tokens.Audiences, TimeSpan.FromHours(parsed.GetValue(hours))));
            return ExitCode.Done;
        });
        return command;
    }

    private static string[] Words(string[]? values) => [.. (values ?? []).SelectMany(value => value.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries))];
}
