using System.Globalization;
using System.Text;

namespace Imet.Enrollment.Bars;

/// <summary>Who a person is, as far as persons are compared by it. Its text is never to be logged: a record prints its values.</summary>
public sealed record Identity(string Country, string Surname, string GivenNames, DateOnly? DateOfBirth, string ServiceNumber, string PassportNumber)
{
    public override string ToString() => nameof(Identity);
}

/// <summary>
/// What persons are matched by. Each key is the country with one of: all names and the date of birth, the service number, the passport number. Two persons with one key in common are taken for one.
/// A key is the same however the value is written: case, accents, spaces, hyphens and the order of names make no difference; letters that look like Latin ones (Cyrillic, Greek, full width) are read as those,
/// and in numbers, where no reader can tell them apart, O is 0 and I and L are 1. Nothing is guessed beyond that: a name that is spelled with other letters is another name.
/// </summary>
public static class PersonKeys
{
    // Written out, because the services run without the data by which the platform would take letters apart: capitals with marks, full width, and those of Cyrillic and Greek that are taken for Latin ones.
    private static readonly Dictionary<char, string> Latin = new (string Latin, string Letters)[]
    {
        ("0", "０"),
        ("1", "１"),
        ("2", "２"),
        ("3", "３З"),
        ("4", "４"),
        ("5", "５"),
        ("6", "６"),
        ("7", "７"),
        ("8", "８"),
        ("9", "９"),
        ("A", "ÀÁÂÃÄÅĀĂĄǍǞǠǺȀȂȦḀẠẢẤẦẨẪẬẮẰẲẴẶＡАΑ"),
        ("AE", "Æ"),
        ("B", "ḂḄḆＢВΒ"),
        ("C", "ÇĆĈĊČḈＣС"),
        ("D", "ĎḊḌḎḐḒＤĐÐ"),
        ("DZ", "ǄǱ"),
        ("E", "ÈÉÊËĒĔĖĘĚȄȆȨḔḖḘḚḜẸẺẼẾỀỂỄỆＥЕΕ"),
        ("F", "ḞＦ"),
        ("G", "ĜĞĠĢǦǴḠＧ"),
        ("H", "ĤȞḢḤḦḨḪＨĦНΗ"),
        ("I", "ÌÍÎÏĨĪĬĮİǏȈȊḬḮỈỊＩıІΙ"),
        ("IJ", "Ĳ"),
        ("J", "ĴＪЈ"),
        ("K", "ĶǨḰḲḴＫКΚ"),
        ("L", "ĹĻĽḶḸḺḼＬŁ"),
        ("LJ", "Ǉ"),
        ("M", "ḾṀṂＭМΜ"),
        ("N", "ÑŃŅŇǸṄṆṈṊＮΝ"),
        ("NJ", "Ǌ"),
        ("O", "ÒÓÔÕÖŌŎŐƠǑǪǬȌȎȪȬȮȰṌṎṐṒỌỎỐỒỔỖỘỚỜỞỠỢＯØОΟ"),
        ("OE", "Œ"),
        ("P", "ṔṖＰРΡ"),
        ("Q", "Ｑ"),
        ("R", "ŔŖŘȐȒṘṚṜṞＲ"),
        ("S", "ŚŜŞŠȘṠṢṤṦṨＳЅ"),
        ("SS", "ß"),
        ("T", "ŢŤȚṪṬṮṰＴŦТΤ"),
        ("TH", "Þ"),
        ("U", "ÙÚÛÜŨŪŬŮŰŲƯǓǕǗǙǛȔȖṲṴṶṸṺỤỦỨỪỬỮỰＵ"),
        ("V", "ṼṾＶ"),
        ("W", "ŴẀẂẄẆẈＷ"),
        ("X", "ẊẌＸХΧ"),
        ("Y", "ÝŶŸȲẎỲỴỶỸＹУΥ"),
        ("Z", "ŹŻŽẐẒẔＺΖ"),
    }.SelectMany(group => group.Letters.Select(letter => (letter, group.Latin))).ToDictionary(pair => pair.letter, pair => pair.Latin);

    public static IReadOnlyList<string> Of(Identity person)
    {
        List<string> keys = [];
        var names = Words($"{person.Surname} {person.GivenNames}");
        if (person.DateOfBirth is { } birth && names.Length > 0)
            keys.Add(string.Create(CultureInfo.InvariantCulture, $"name {person.Country} {birth:yyyy-MM-dd} {names}"));
        if (Number(person.ServiceNumber) is { Length: > 0 } service)
            keys.Add($"service {person.Country} {service}");
        if (Number(person.PassportNumber) is { Length: > 0 } passport)
            keys.Add($"passport {person.Country} {passport}");
        return keys;
    }

    /// <summary>The words of a name in the order of the alphabet: families and clerks differ about which comes first.</summary>
    private static string Words(string text) => string.Join(' ', Fold(text, ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));

    private static string Number(string text) => Fold(text, null).Replace('O', '0').Replace('I', '1').Replace('L', '1');

    private static string Fold(string text, char? apart)
    {
        var folded = new StringBuilder(text.Length);
        foreach (var letter in text.ToUpperInvariant())
        {
            // Some apostrophes count as letters.
            if (letter is '\'' or '’' or 'ʼ' or 'ʻ' or '`' || CharUnicodeInfo.GetUnicodeCategory(letter) is UnicodeCategory.NonSpacingMark or UnicodeCategory.Format)
                continue;
            if (Latin.TryGetValue(letter, out var latin))
                folded.Append(latin);
            else if (char.IsLetterOrDigit(letter))
                folded.Append(letter);
            else if (apart is { } space)
                folded.Append(space);
        }
        return folded.ToString();
    }
}
