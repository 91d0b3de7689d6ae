using Grpc.Core;
using Imet.CourseCatalog.V1;
using Npgsql;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class AccessTests(Catalog catalog)
{
    [Fact]
    public async Task Nobody_is_answered_without_a_token()
    {
        var refused = await Refused.ByAsync(catalog.WithoutToken().ListSchoolsAsync(new(), cancellationToken: Cancel));
        Assert.Equal(StatusCode.Unauthenticated, refused.Code);
    }

    [Fact]
    public async Task A_reader_may_not_write_and_is_told_the_scope()
    {
        var reader = catalog.As("reader", ["catalog.read", "enrollment.write"]);
        await reader.ListSchoolsAsync(new() { PageSize = 1 }, cancellationToken: Cancel);
        var refused = await Refused.ByAsync(reader.CreateSchoolAsync(new() { RequestId = NewId(), School = new() { Name = "S" } }, cancellationToken: Cancel));
        Assert.Equal((StatusCode.PermissionDenied, "SCOPE_REQUIRED", "catalog.write"), (refused.Code, refused.Reason, refused.Metadata["scope"]));
    }

    [Fact]
    public async Task A_country_sees_its_own_offerings_and_everybodys_and_another_countrys_are_as_if_not_there()
    {
        var everybodys = await catalog.NewOfferingAsync();
        var own = await catalog.NewOfferingAsync(everybodys.CourseVersionId, o => o.HostCountry = "KEN");
        var name = new ExternalId { Source = "fmtr", Id = Unique("h-") };
        var others = await catalog.NewOfferingAsync(everybodys.CourseVersionId, o =>
        {
            o.HostCountry = "UGA";
            o.ExternalIds.Add(name);
        });
        var kenya = catalog.As("kenya", ["catalog.read", "catalog.write"], "KEN");

        var listed = (await kenya.ListOfferingsAsync(new() { CourseId = own.Course.CourseId }, cancellationToken: Cancel)).Offerings;
        Assert.Equal(new[] { everybodys.Id, own.Id }.Order(), listed.Select(o => o.Id).Order());
        var versions = (await kenya.BatchGetOfferingVersionsAsync(new() { OfferingIds = { own.Id, others.Id } }, cancellationToken: Cancel)).OfferingVersions;
        Assert.Equal(own.Id, Assert.Single(versions).OfferingId);
        Assert.Equal(own, (await kenya.GetOfferingAsync(new() { OfferingId = own.Id }, cancellationToken: Cancel)).Offering);
        foreach (var request in new GetOfferingRequest[] { new() { OfferingId = others.Id }, new() { ExternalId = name }, new() { OfferingId = NewId() } })
            Assert.Equal("NOT_FOUND", (await Refused.ByAsync(kenya.GetOfferingAsync(request, cancellationToken: Cancel))).Reason);
        var cancel = new CancelOfferingRequest { RequestId = NewId(), OfferingId = others.Id, Etag = others.Etag, Reason = "r" };
        Assert.Equal("NOT_FOUND", (await Refused.ByAsync(kenya.CancelOfferingAsync(cancel, cancellationToken: Cancel))).Reason);
    }

    [Fact]
    public async Task A_country_changes_what_is_held_with_it_and_nothing_that_is_everybodys()
    {
        var everybodys = await catalog.NewOfferingAsync();
        var kenya = catalog.As("kenya", ["catalog.read", "catalog.write"], "KEN");
        var hosted = AnOffering(everybodys.CourseVersionId);
        hosted.HostCountry = "KEN";
        var own = (await kenya.CreateOfferingAsync(new() { RequestId = NewId(), Offering = hosted }, cancellationToken: Cancel)).Offering;
        await kenya.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = own.Id, Etag = own.Etag, Reason = "r" }, cancellationToken: Cancel);

        var elsewhere = AnOffering(everybodys.CourseVersionId);
        elsewhere.HostCountry = "UGA";
        Refused[] refused =
        [
            await Refused.ByAsync(kenya.CreateSchoolAsync(new() { RequestId = NewId(), School = new() { Name = "S" } }, cancellationToken: Cancel)),
            await Refused.ByAsync(kenya.CreateCourseAsync(new() { RequestId = NewId(), Course = new() { MaslNumber = Unique("T-") } }, cancellationToken: Cancel)),
            await Refused.ByAsync(kenya.CreateOfferingAsync(new() { RequestId = NewId(), Offering = AnOffering(everybodys.CourseVersionId) }, cancellationToken: Cancel)),
            await Refused.ByAsync(kenya.CreateOfferingAsync(new() { RequestId = NewId(), Offering = elsewhere }, cancellationToken: Cancel)),
            await Refused.ByAsync(kenya.CancelOfferingAsync(new() { RequestId = NewId(), OfferingId = everybodys.Id, Etag = everybodys.Etag, Reason = "r" }, cancellationToken: Cancel)),
        ];
        Assert.All(refused, r => Assert.Equal((StatusCode.PermissionDenied, "COUNTRY_NOT_PERMITTED"), (r.Code, r.Reason)));
    }

    [Theory]
    [InlineData("create table mine (id int)")]
    [InlineData("alter table schools add column mine int")]
    [InlineData("drop table offerings")]
    [InlineData("truncate external_ids")]
    public async Task The_running_service_may_not_change_its_schema(string sql)
    {
        await using var connection = new NpgsqlConnection(catalog.Database.Runtime("catalog"));
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand($"set search_path = catalog; {sql}", connection);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Cancel));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }
}
