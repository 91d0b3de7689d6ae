using CsCheck;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Type;
using Grpc.Core;
using Imet.Options.V1;

namespace Imet.Chassis.Tests;

public sealed class RequestsTests
{
    private const string Id = "0198c0de-0000-7000-8000-000000000000";
    private static readonly Requests Requests = new();

    internal static ChangeRequest Good() => new() { RequestId = Id, Country = "FRA", Colour = Colour.Red, Year = 2027 };

    public static TheoryData<string, string> Wrong() => new()
    {
        { "request_id", "" }, { "request_id", "no" }, { "request_id", Id.ToUpperInvariant() }, { "request_id", $"{{{Id}}}" }, { "request_id", Id.Replace("-", "", StringComparison.Ordinal) },
        { "country", "" }, { "country", "us" }, { "country", "FR" }, { "country", "FRAN" }, { "country", "fra" }, { "country", "F\u0052\u0391" }, { "country", "ＦＲＡ" }, { "country", "\u202eFRA" },
        { "code", "a" }, { "code", "_A" }, { "code", "A B" }, { "code", "ABCDEFGHI" }, { "code", "É" },
        { "note", "a\0b" }, { "note", "a\nb" }, { "note", "\u0085" }, { "note", new string('x', 501) },
    };

    [Fact]
    public void A_good_request_passes()
    {
        Assert.Null(Requests.Check(Good()));
        var full = Good();
        full.Note = string.Concat(Enumerable.Repeat("😀", 500));
        full.Code = "A-1_2.3";
        full.Share = 100;
        full.Lines.Add(new Line { Country = "NOR", Below = new Line { Country = "SWE", Tags = { new Tag { Name = "é" } } } });
        full.Ids.Add(Id);
        full.Day = new Date { Year = 2024, Month = 2, Day = 29 };
        full.Price = new Money { CurrencyCode = "USD", Units = -1, Nanos = -500_000_000 };
        full.At = Timestamp.FromDateTime(System.DateTime.MaxValue.ToUniversalTime());
        full.Lasts = Duration.FromTimeSpan(TimeSpan.FromDays(-3));
        full.Headcount = 10_000;
        full.MadeByServer = "ignored, whatever \0 it is";
        full.Colours.Add(Colour.Blue);
        Assert.Null(Requests.Check(full));
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_text_of_the_wrong_form_is_named(string field, string value)
    {
        var request = Good();
        ChangeRequest.Descriptor.FindFieldByName(field).Accessor.SetValue(request, value);
        Assert.Equal([field], Paths(request));
    }

    [Fact]
    public void Numbers_enums_dates_and_money_are_checked()
    {
        (string Path, Action<ChangeRequest> Change)[] cases =
        [
            ("colour", r => r.Colour = Colour.Unspecified), ("colour", r => r.Colour = (Colour)7), ("colours[1]", r => r.Colours.AddRange([Colour.Red, (Colour)9])),
            ("year", r => r.Year = 0), ("year", r => r.Year = 1975), ("year", r => r.Year = 2200), ("share", r => r.Share = -1), ("share", r => r.Share = 101),
            ("headcount", r => r.Headcount = 0), ("headcount", r => r.Headcount = 10_001), ("person", r => r.Person = ""), ("person", r => r.Person = "x"),
            ("ids[0]", r => r.Ids.Add("")), ("ids[1]", r => r.Ids.AddRange([Id, "x"])), ("ids", r => r.Ids.AddRange(Enumerable.Repeat(Id, 1001))),
            ("lines", r => r.Lines.AddRange(Enumerable.Repeat(new Line(), 4))), ("ratio", r => r.Ratio = double.NaN), ("ratio", r => r.Ratio = double.NegativeInfinity),
            ("day", r => r.Day = new Date()), ("day", r => r.Day = new Date { Year = 2023, Month = 2, Day = 29 }), ("day", r => r.Day = new Date { Year = 2023, Month = 2 }),
            ("day", r => r.Day = new Date { Year = 1, Month = 1, Day = 1 }), ("day", r => r.Day = new Date { Year = 9999, Month = 12, Day = 31 }), ("day", r => r.Day = new Date { Year = 2023, Month = 13, Day = 1 }),
            ("price", r => r.Price = new Money()), ("price", r => r.Price = new Money { CurrencyCode = "USD", Units = 1, Nanos = -1 }), ("price", r => r.Price = new Money { CurrencyCode = "USD", Nanos = 1_000_000_000 }),
            ("at", r => r.At = new Timestamp { Seconds = long.MaxValue }), ("at", r => r.At = new Timestamp { Nanos = -1 }), ("lasts", r => r.Lasts = new Duration { Seconds = 1, Nanos = -1 }),
            ("lines[1].country", r => r.Lines.AddRange([new Line { Country = "NOR" }, new Line()])),
            ("lines[0].below.tags[1].name", r => r.Lines.Add(new Line { Country = "NOR", Below = new Line { Country = "NOR", Tags = { new Tag { Name = "a" }, new Tag() } } })),
        ];
        foreach (var (path, change) in cases)
        {
            var request = Good();
            change(request);
            Assert.Equal([path], Paths(request));
        }
    }

    [Fact]
    public void All_that_is_wrong_is_told_at_once_with_a_remedy_each()
    {
        var refusal = Requests.Check(new ChangeRequest { Lines = { new Line { Country = "x" } }, Note = "\0" })!;
        Assert.Equal(("INVALID_FIELDS", StatusCode.InvalidArgument), (refusal.Reason, refusal.Code));
        Assert.Equal(["request_id", "country", "note", "colour", "year", "lines[0].country"], refusal.Fields.Select(field => field.Field));
        Assert.All(refusal.Fields, field => Assert.EndsWith(".", field.Description, StringComparison.Ordinal));
        Assert.Contains("request_id is required.", refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith("And 3 more.", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_nested_without_end_is_refused()
    {
        var line = new Line { Country = "NOR" };
        for (var i = 0; i < 50; i++)
            line = new Line { Country = "NOR", Below = line };
        var request = Good();
        request.Lines.Add(line);
        Assert.Single(Paths(request));
    }

    [Fact]
    public void A_negative_page_size_is_refused() => Assert.Equal(["page_size"], Paths(new ListThingsRequest { PageSize = -1 }));

    [Fact]
    public void A_rule_that_can_not_be_enforced_stops_the_start() => Assert.Throws<InvalidOperationException>(() => Requests.Prepare(WrongRule.Descriptor));

    [Fact]
    public void Every_request_of_every_service_can_be_checked()
    {
        foreach (var service in new[]
                 {
                     CountryEligibility.V1.CountryEligibilityServiceReflection.Descriptor.Services[0], CourseCatalog.V1.CourseCatalogServiceReflection.Descriptor.Services[0],
                     Enrollment.V1.EnrollmentServiceReflection.Descriptor.Services[0],
                 })
            foreach (var method in service.Methods)
            {
                new Requests().Prepare(method.InputType);
                _ = Requests.Check(method.InputType.Parser.ParseFrom(ByteString.Empty));
            }
    }

    [Fact]
    public void No_bytes_that_parse_make_the_check_fail() => Gen.Byte.Array[0, 60].Sample(bytes =>
    {
        ChangeRequest request;
        try
        {
            request = ChangeRequest.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return;
        }

        Requests.Check(request)?.ToException();
    }, iter: 20_000);

    [Fact]
    public async Task The_check_stands_before_every_method()
    {
        await using var house = await EchoHouse.StartAsync();
        var (code, reason, status) = await Refused.ByAsync(() => house.Anybody().ChangeAsync(new ChangeRequest(), cancellationToken: TestContext.Current.CancellationToken).ResponseAsync);
        Assert.Equal((StatusCode.InvalidArgument, "INVALID_FIELDS"), (code, reason));
        Assert.Equal(4, status.GetDetail<Google.Rpc.BadRequest>().FieldViolations.Count);
    }

    private static IEnumerable<string> Paths(IMessage request) => Requests.Check(request)?.Fields.Select(field => field.Field) ?? [];
}
