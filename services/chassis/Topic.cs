namespace Imet;

internal static class Topic
{
    /// <summary>As a topic exchange matches: * is one word, # any number of them.</summary>
    public static bool Matches(string pattern, string routingKey) => Matches(pattern.Split('.'), routingKey.Split('.'));

    private static bool Matches(ReadOnlySpan<string> pattern, ReadOnlySpan<string> key) => pattern switch
    {
        [] => key.IsEmpty,
        ["#", ..] => Matches(pattern[1..], key) || (!key.IsEmpty && Matches(pattern, key[1..])),
        [var word, ..] => !key.IsEmpty && (word == "*" || word == key[0]) && Matches(pattern[1..], key[1..]),
    };
}
