namespace Imet.CourseCatalog;

/// <summary>What people type, as PostgreSQL's full text search takes it: every word must be there, or a word that begins with it.</summary>
internal static class SearchWords
{
    public static string[] Of(string text)
    {
        List<string> words = [];
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            while (i < text.Length && char.IsLetterOrDigit(text[i]))
                i++;
            if (i > start)
                words.Add(text[start..i].ToLowerInvariant());
            else
                i++;
        }
        return [.. words.Distinct()];
    }

    /// <summary>Letters and digits only, so that nothing a caller writes has a meaning of its own in a query.</summary>
    public static string Query(IEnumerable<string> words) => string.Join(" & ", words.Select(word => $"{word}:*"));

    /// <summary>Where a word is unknown, any of those spelled like it will do.</summary>
    public static string Query(IEnumerable<string> words, ILookup<string, string> alike) =>
        string.Join(" & ", words.Select(word => alike[word].ToArray() is { Length: > 0 } likes ? $"({string.Join(" | ", likes)})" : $"{word}:*"));
}
