using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Imet.Options.V1;

namespace Imet.Chassis.Tests;

public sealed class ErrorsTests
{
    [Fact]
    public void Every_reason_of_every_proto_has_a_name_and_a_code()
    {
        var enums = typeof(CommonReason).Assembly.GetExportedTypes().Where(type => type.IsEnum && type.Name.EndsWith("Reason", StringComparison.Ordinal) && !type.IsNested).ToList();
        Assert.Contains(typeof(CommonReason), enums);
        Assert.Equal(5, enums.Count);
        foreach (var type in enums)
            foreach (Enum value in Enum.GetValues(type))
            {
                if (Convert.ToInt32(value, null) == 0)
                {
                    Assert.Throws<ArgumentException>(() => Refusal.Of(value, "no reason"));
                    continue;
                }

                var refusal = Refusal.Of(value, "why");
                Assert.Matches("^[A-Z][A-Z0-9_]{1,62}$", refusal.Reason);
                Assert.Equal(value.ToString(), string.Concat(refusal.Reason.Split('_').Select(word => word[0] + word[1..].ToLowerInvariant())));
                Assert.NotEqual(StatusCode.OK, refusal.Code);
                Assert.NotEqual(StatusCode.Unknown, refusal.Code);
            }
    }

    [Fact]
    public void A_reason_that_no_proto_knows_is_a_mistake_found_at_once()
    {
        Assert.Throws<ArgumentException>(() => Refusal.Of((CommonReason)999, "none"));
        Assert.Throws<ArgumentException>(() => Refusal.Of(DayOfWeek.Monday, "none"));
    }

    [Fact]
    public void A_refusal_carries_its_details_each_kind_once()
    {
        var e = Refusal.Of(CommonReason.DependencyUnavailable, "Später, bitte.")
            .With("a", "1").With("a", "2")
            .Field("lines[0].country", "is required.")
            .Precondition("LEGAL_BASIS", "countries/NER", "FAA section 7008")
            .RetryAfter(TimeSpan.FromSeconds(2))
            .ToException();
        Assert.Equal((StatusCode.Unavailable, "Später, bitte."), (e.StatusCode, e.Status.Detail));
        var status = e.GetRpcStatus()!;
        Assert.Equal(4, status.Details.Count);
        Assert.Equal("2", status.GetDetail<ErrorInfo>().Metadata["a"]);
        Assert.Equal("lines[0].country", status.GetDetail<BadRequest>().FieldViolations.Single().Field);
        Assert.Equal("countries/NER", status.GetDetail<PreconditionFailure>().Violations.Single().Subject);
        Assert.Equal(2, status.GetDetail<RetryInfo>().RetryDelay.Seconds);
    }

    [Fact]
    public void However_much_is_wrong_the_answer_fits_into_headers()
    {
        var refusal = Enumerable.Range(0, 1000).Aggregate(Refusal.Of(CommonReason.InvalidFields, "much"), (all, i) => all.Field($"lines[{i}].country", "is required."));
        var status = refusal.ToException().GetRpcStatus()!;
        Assert.InRange(status.CalculateSize(), 1000, 5000);
        var told = status.GetDetail<BadRequest>().FieldViolations.Count;
        Assert.Equal($"{1000 - told}", status.GetDetail<ErrorInfo>().Metadata["violations_left_out"]);
    }

    [Fact]
    public void An_outcome_is_a_value_or_a_refusal()
    {
        Outcome<int> accepted = 7;
        Outcome<int> refused = Refusal.Of(CommonReason.NotFound, "none");
        Assert.Equal((true, 7, 7), (accepted.IsAccepted, accepted.Value, accepted.OrThrow()));
        Assert.Throws<InvalidOperationException>(() => accepted.Refusal);
        Assert.Equal((false, "NOT_FOUND"), (refused.IsAccepted, refused.Refusal.Reason));
        Assert.Throws<InvalidOperationException>(() => refused.Value);
        Assert.Equal(StatusCode.NotFound, Assert.ThrowsAny<RpcException>(() => refused.OrThrow()).StatusCode);
    }
}
