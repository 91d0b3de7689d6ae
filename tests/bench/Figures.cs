namespace Imet.Bench;

/// <summary>One goal's result: ours beside the limit, round by round, so that the ratio holds when the machine's speed drifts.</summary>
internal sealed record Figure
{
    public required string Goal { get; init; }
    public required string What { get; init; }
    public required string Unit { get; init; }
    public required IReadOnlyList<double> Ours { get; init; }
    public IReadOnlyList<double> Limit { get; init; } = [];
    public required string Promise { get; init; }
    public required Func<Figure, bool> Kept { get; init; }
    public Spread OursSpread => Spread.Of(Ours);
    public Spread? LimitSpread => Limit.Count == 0 ? null : Spread.Of(Limit);
    public Spread? Ratio => Limit.Count == 0 ? null : Spread.Of([.. Ours.Zip(Limit, (ours, limit) => ours / limit)]);

    public override string ToString()
    {
        var against = LimitSpread is { } limit && Ratio is { } ratio ? $" | limit {limit} | ratio {ratio:F2}" : "";
        return $"{Goal,-14} {What}: {OursSpread} {Unit}{against} | promised {Promise}: {(Kept(this) ? "kept" : "NOT KEPT")}";
    }
}

internal sealed record Spread(double Min, double Median, double Max) : IFormattable
{
    public static Spread Of(IReadOnlyList<double> values)
    {
        var sorted = values.Order().ToArray();
        return new(sorted[0], sorted[sorted.Length / 2], sorted[^1]);
    }

    public override string ToString() => ToString("0.##", null);

    public string ToString(string? format, IFormatProvider? provider)
    {
        var culture = provider ?? System.Globalization.CultureInfo.InvariantCulture;
        return $"{Min.ToString(format, culture)} / {Median.ToString(format, culture)} / {Max.ToString(format, culture)}";
    }
}
