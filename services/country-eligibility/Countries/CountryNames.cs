using Imet.CountryEligibility.V1;

namespace Imet.CountryEligibility;

/// <summary>A name on record, with the time in which its country's code is valid.</summary>
internal sealed record CountryNameRow
{
    public required string Country { get; init; }
    public required string Name { get; init; }
    public DateOnly? ValidFrom { get; init; }
    public DateOnly? ValidTo { get; init; }

    public bool IsValidOn(DateOnly day) => !(day < ValidFrom) && !(day >= ValidTo);
}

/// <summary>What texts mean on a day. What is not on record is never guessed: the nearest names are told, and none is taken.</summary>
internal sealed class CountryNames
{
    private const int MostCandidates = 3;

    private readonly ILookup<string, CountryNameRow> _named;
    private readonly (string Folded, CountryNameRow Row)[] _valid;
    private readonly DateOnly _on;

    public CountryNames(IReadOnlyCollection<CountryNameRow> names, DateOnly on)
    {
        _on = on;
        _named = names.Select(row => (Key: Fold(row.Name), Row: row)).Concat(names.DistinctBy(row => row.Country).Select(row => (Key: row.Country, Row: row)))
            .ToLookup(pair => pair.Key, pair => pair.Row);
        _valid = [.. names.Where(row => row.IsValidOn(on)).Select(row => (Fold(row.Name), row))];
    }

    /// <summary>As names are compared: trimmed, inner runs of white space as one space, one kind of apostrophe, capitals.</summary>
    public static string Fold(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).Replace('’', '\'').ToUpperInvariant();

    public ResolvedCountryName Resolve(string text)
    {
        var folded = Fold(text);
        var resolved = new ResolvedCountryName { Name = text };
        if (_named[folded].FirstOrDefault(row => row.IsValidOn(_on)) is { } found)
            resolved.Country = found.Country;
        else
            resolved.Candidates.Add(_named[folded].Concat(Nearest(folded)).Take(MostCandidates).Select(row => new CountryNameCandidate { Country = row.Country, Name = row.Name }));
        return resolved;
    }

    private IEnumerable<CountryNameRow> Nearest(string folded)
    {
        var limit = Math.Max(2, folded.Length / 3);
        return _valid.Select(known => (known.Row, Distance: HasWords(known.Folded, folded) ? 1 : Distance(folded, known.Folded, limit)))
            .Where(known => known.Distance <= limit)
            .OrderBy(known => known.Distance).ThenBy(known => known.Row.Name, StringComparer.Ordinal)
            .Select(known => known.Row);
    }

    // "CONGO" is near to both countries of that name.
    private static bool HasWords(string name, string words) =>
        words.Length > 3 && name.IndexOf(words, StringComparison.Ordinal) is >= 0 and var at
            && (at == 0 || !char.IsLetter(name[at - 1])) && (at + words.Length == name.Length || !char.IsLetter(name[at + words.Length]));

    // Letters to insert, drop or replace to make one text of the other (Levenshtein); above the limit it does not matter by how much.
    private static int Distance(string a, string b, int limit)
    {
        if (Math.Abs(a.Length - b.Length) > limit)
            return int.MaxValue;
        Span<int> row = stackalloc int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            var least = row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                (diagonal, least) = (above, Math.Min(least, row[j]));
            }
            if (least > limit)
                return int.MaxValue;
        }
        return row[b.Length];
    }
}
