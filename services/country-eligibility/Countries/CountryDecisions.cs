using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.Options.V1;
using ErrorReason = Imet.CountryEligibility.V1.ErrorReason;

namespace Imet.CountryEligibility;

/// <summary>Another country that has one of the codes or names at an overlapping time; field is "names" for a name.</summary>
internal sealed record TakenRow
{
    public required string Country { get; init; }
    public required string Field { get; init; }
    public required string Value { get; init; }
}

/// <summary>Rules of the reference data. A country's revision counts every change of it, as it does every decision.</summary>
internal static class CountryDecisions
{
    public static Outcome<CountryRow> Check(Country country)
    {
        var invalid = Refusal.Of(CommonReason.InvalidFields, "The country has fields that don't fit together.");
        if (country.Alpha2 is { Length: > 0 } alpha2 && !(alpha2.Length == 2 && alpha2.All(char.IsAsciiLetterUpper)))
            invalid = invalid.Field("country.alpha2", "Must be two capitals.");
        if (country.NumericCode is { Length: > 0 } numeric && !(numeric.Length == 3 && numeric.All(char.IsAsciiDigit)))
            invalid = invalid.Field("country.numeric_code", "Must be three digits, leading zeros among them.");
        if (country.DscaCode is { Length: > 0 } dsca && !(dsca.Length == 2 && dsca.All(char.IsAsciiLetterOrDigit)))
            invalid = invalid.Field("country.dsca_code", "Must be two capitals or digits.");
        if (country is { ValidFrom: { } from, ValidTo: { } to } && to.ToDateOnly() <= from.ToDateOnly())
            invalid = invalid.Field("country.valid_to", "Must be after valid_from: it is the first day on which the code is no longer valid.");
        var seen = new HashSet<string> { CountryNames.Fold(country.Name) };
        for (var i = 0; i < country.Names.Count; i++)
        {
            if (CountryNames.Fold(country.Names[i]) is { Length: 0 } || !seen.Add(CountryNames.Fold(country.Names[i])))
                invalid = invalid.Field($"country.names[{i}]", "Is blank, the country's own name or named before: letter case and double spaces make no difference.");
        }
        return invalid.Fields.Count > 0 ? invalid : country.ToRow();
    }

    public static Outcome<CountryRow> Create(CountryRow country, CountryRow? existing, TakenRow? taken, RecordRow record)
    {
        if (existing is not null)
            return Taken(new TakenRow { Country = existing.Code, Field = "code", Value = existing.Code });
        return taken is not null ? Taken(taken) : country with { Revision = 1, SystemOfRecordSince = record.RecordedAt, RecordedAt = record.RecordedAt };
    }

    public static Outcome<CountryRow> Update(CountryRow country, string etag, CountryRow? current, TakenRow? taken, RecordRow record)
    {
        if (current is null)
            return NoCountry();
        if (etag != current.Etag)
            return Refusal.Of(CommonReason.EtagMismatch, "The country is not the one that was read: read it again, decide again.");
        return taken is not null
            ? Taken(taken)
            : country with { Revision = current.Revision + 1, SystemOfRecordSince = current.SystemOfRecordSince, RecordedAt = record.RecordedAt };
    }

    public static Refusal? CheckPeriod(Designation designation) => designation.ValidTo?.ToDateOnly() <= designation.ValidFrom.ToDateOnly()
        ? NotAfter("designation.valid_to")
        : null;

    public static Outcome<DesignationRow> Add(DesignationRow designation, CountryRow? country, IEnumerable<DesignationRow> others)
    {
        if (country is null)
            return Refusal.Of(ErrorReason.CountryCodeInvalid, $"There is no country code {designation.Country}.").With("country", designation.Country)
                .Field("designation.country", "Not a country's code.");
        return Overlapping(designation, others) is { } overlap ? overlap : designation;
    }

    public static Outcome<DesignationRow> End(DesignationRow? current, string etag, DateOnly validTo, string source, string by, IEnumerable<DesignationRow> others, RecordRow record)
    {
        if (current is null)
            return Refusal.Of(CommonReason.NotFound, "There is no such designation.").With("resource", "designation");
        if (etag != current.Etag)
            return Refusal.Of(CommonReason.EtagMismatch, "The designation is not the one that was read: read it again, decide again.");
        if (validTo <= current.ValidFrom)
            return NotAfter("valid_to");
        var ended = current with { Version = current.Version + 1, ValidTo = validTo, Source = source, RecordedBy = by, KnownFrom = record.RecordedAt, KnownTo = null };
        return Overlapping(ended, others) is { } overlap ? overlap : ended;
    }

    public static Refusal NoCountry() => Refusal.Of(CommonReason.NotFound, "There is no such country.").With("resource", "country");

    private static Refusal? Overlapping(DesignationRow designation, IEnumerable<DesignationRow> others) =>
        others.FirstOrDefault(other => other.Id != designation.Id && !(other.ValidTo <= designation.ValidFrom) && !(designation.ValidTo <= other.ValidFrom)) is { } overlap
            ? Refusal.Of(ErrorReason.DesignationOverlaps, $"{designation.Country} has this status already from {overlap.ValidFrom:yyyy-MM-dd}{(overlap.ValidTo is { } to ? $" to {to:yyyy-MM-dd}" : "")}.")
                .With("designation_id", overlap.Id.ToString())
            : null;

    private static Refusal NotAfter(string field) => Refusal.Of(CommonReason.InvalidFields, "A status ends after it begins.")
        .Field(field, "Must be after valid_from: it is the first day on which the status no longer holds.");

    private static Refusal Taken(TakenRow taken) => taken.Field == "names"
        ? Refusal.Of(ErrorReason.CountryNameTaken, $"\"{taken.Value}\" is a name of {taken.Country} at an overlapping time.").With("country", taken.Country).With("name", taken.Value)
        : Refusal.Of(ErrorReason.CountryCodeTaken, $"The {taken.Field} {taken.Value} is that of {taken.Country} at an overlapping time.").With("country", taken.Country).With("field", taken.Field);
}
