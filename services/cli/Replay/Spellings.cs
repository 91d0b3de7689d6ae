using System.Collections.Frozen;
using Imet.CourseCatalog.V1;

namespace Imet.Cli.Replay;

/// <summary>A program as its report names it: what rules look at, and the account within it.</summary>
public sealed record ReportedProgram(string Code, string Account);

/// <summary>What real reports write for programs, kinds of training and ambiguous places. All of it is data: the tables in the folder Spellings. What no table has is not guessed.</summary>
public static class Spellings
{
    private static readonly FrozenDictionary<string, string> Places = Table("places").ToFrozenDictionary(row => Key(row[0]), row => row[1]);
    private static readonly FrozenDictionary<string, ReportedProgram> Programs =
        Table("programs").ToFrozenDictionary(row => Key(row[0]), row => new ReportedProgram(row[1], row.Length > 2 ? row[2] : ""));
    private static readonly (string Words, TrainingKind Kind)[] Kinds = [.. Table("kinds").Select(row => (row[0], KindOf(row[1])))];

    private const string UnitedStates = "USA";
    private const string AmbiguousPlace = "-";

    public static ReportedProgram? Program(string name) => Programs.GetValueOrDefault(Key(name));

    public static IReadOnlyList<string> ProgramsLike(string name) => Nearest(name, Programs.Keys);

    /// <summary>
    /// The partner country in which a class at this place is held: the whole place, or its last part after a comma, is a country's name. Null in the United States and wherever the text does not say.
    /// </summary>
    public static string? HostCountry(string place, ReportedCountries countries)
    {
        var (text, last) = Parts(place);
        var code = Places.GetValueOrDefault(Key(place)) ?? Places.GetValueOrDefault(Key(text)) ?? Places.GetValueOrDefault(Key(last)) ?? countries.Code(text) ?? countries.Code(last);
        return code is AmbiguousPlace or UnitedStates ? null : code;
    }

    /// <summary>The parts of a place that may be a country's name.</summary>
    public static IEnumerable<string> CountryParts(string place)
    {
        var (text, last) = Parts(place);
        return last == text ? [text] : [text, last];
    }

    private static (string Text, string Last) Parts(string place)
    {
        var text = WithoutInCountryRemark(place);
        return (text, text[(text.LastIndexOf(',') + 1)..].Trim());
    }

    public static TrainingKind Kind(string title)
    {
        foreach (var (words, kind) in Kinds)
        {
            if (ContainsWords(title, words))
                return kind;
        }
        return TrainingKind.Unspecified;
    }

    private static string WithoutInCountryRemark(string place)
    {
        var at = place.LastIndexOf('(');
        return at > 0 && Key(place[at..]).Replace('-', ' ').StartsWith("(IN COUNTRY", StringComparison.Ordinal) ? place[..at].Trim() : place;
    }

    private static bool ContainsWords(string text, string words)
    {
        for (var at = 0; (at = text.IndexOf(words, at, StringComparison.OrdinalIgnoreCase)) >= 0; at++)
        {
            var end = at + words.Length;
            if ((at == 0 || !char.IsLetterOrDigit(text[at - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end])))
                return true;
        }
        return false;
    }

    private static List<string> Nearest(string name, IEnumerable<string> known)
    {
        var key = Key(name);
        return [.. known.Select(other => (Name: other, Distance: Distance(key, Key(other))))
            .Where(other => other.Distance <= Math.Max(2, key.Length / 3))
            .OrderBy(other => other.Distance).ThenBy(other => other.Name, StringComparer.Ordinal).Take(3).Select(other => other.Name)];
    }

    // Letters to insert, drop or replace to make one text of the other (Levenshtein).
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }

    /// <summary>As texts are compared: spaces folded, one kind of apostrophe, capitals.</summary>
    public static string Key(string name) => ReportFile.Fold(name).Replace('’', '\'').ToUpperInvariant();

    private static TrainingKind KindOf(string name) => Enum.Parse<TrainingKind>(name.Replace("_", "", StringComparison.Ordinal), ignoreCase: true);

    private static IEnumerable<string[]> Table(string name)
    {
        using var reader = new StreamReader(typeof(Spellings).Assembly.GetManifestResourceStream($"Imet.Cli.Spellings.{name}.tsv")!);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#')
                yield return line.Split('\t');
        }
    }
}
