using Google.Type;
using Grpc.Core;
using Imet.CourseCatalog.V1;
using Xunit;
using static Imet.CourseCatalog.Tests.Catalog;

namespace Imet.CourseCatalog.Tests;

[Collection(nameof(Catalog))]
public sealed class SchoolAndCourseTests(Catalog catalog)
{
    [Fact]
    public async Task A_school_is_found_by_its_id_and_by_each_name_it_has_elsewhere()
    {
        var name = Unique("san-");
        var school = await catalog.NewSchoolAsync(s => s.ExternalIds.Add([new() { Source = "san", Id = name }, new() { Source = "fmtr", Id = name }]));

        Assert.Equal(1, school.Version);
        Assert.Equal(["fmtr", "san"], school.ExternalIds.Select(id => id.Source));
        Assert.Equal(school, (await catalog.Writer.GetSchoolAsync(new() { SchoolId = school.Id }, cancellationToken: Cancel)).School);
        Assert.Equal(school, (await catalog.Writer.GetSchoolAsync(new() { ExternalId = new() { Source = "san", Id = name } }, cancellationToken: Cancel)).School);
        Assert.Equal(school, (await catalog.At(1).GetSchoolAsync(new() { ExternalId = new() { Source = "fmtr", Id = name } }, cancellationToken: Cancel)).School);
    }

    [Fact]
    public async Task A_course_is_found_by_its_id_its_MASL_number_and_its_names_with_its_versions_the_latest_first()
    {
        var name = Unique("masl-");
        var course = await catalog.NewCourseAsync(c =>
        {
            c.MaslNumber = $"B{Random.Shared.NextInt64(1_000_000_000, long.MaxValue)}";
            c.ExternalIds.Add(new ExternalId { Source = "fmtr", Id = name });
        });
        var first = await catalog.NewVersionAsync(course.Id, v => v.FiscalYear = 2030);
        var second = await catalog.NewVersionAsync(course.Id, v => v.FiscalYear = 2031);

        Assert.Equal(ImplementingAgency.Army, course.ImplementingAgency);
        var byId = await catalog.Writer.GetCourseAsync(new() { CourseId = course.Id }, cancellationToken: Cancel);
        Assert.Equal([second, first], byId.Versions);
        Assert.Equal(3, byId.Course.Version);
        Assert.Equal(byId, await catalog.Writer.GetCourseAsync(new() { MaslNumber = course.MaslNumber }, cancellationToken: Cancel));
        Assert.Equal(byId, await catalog.Writer.GetCourseAsync(new() { ExternalId = new() { Source = "fmtr", Id = name } }, cancellationToken: Cancel));
        Assert.Equal(first, (await catalog.Writer.GetCourseVersionAsync(new() { CourseVersionId = first.Id }, cancellationToken: Cancel)).CourseVersion);
        Assert.Equal(second, (await catalog.Writer.GetCourseVersionAsync(new() { CourseId = course.Id, FiscalYear = 2031 }, cancellationToken: Cancel)).CourseVersion);
    }

    [Fact]
    public async Task A_version_keeps_its_prices_to_the_last_nano()
    {
        var course = await catalog.NewCourseAsync();
        TuitionPrice[] prices =
        [
            new() { Rate = "FULL", Price = new Money { CurrencyCode = "USD", Units = 76_300, Nanos = 999_999_999 } },
            new() { Rate = "GRANT", Price = new Money { CurrencyCode = "USD" } },
            new() { Rate = "EXCHANGE", Price = new Money { CurrencyCode = "USD", Units = long.MaxValue, Nanos = 1 } },
        ];
        var version = await catalog.NewVersionAsync(course.Id, v => v.Prices.Add(prices));

        Assert.Equal(prices, version.Prices);
        Assert.Equal(version, (await catalog.Writer.GetCourseVersionAsync(new() { CourseVersionId = version.Id }, cancellationToken: Cancel)).CourseVersion);
    }

    [Fact]
    public async Task A_natural_key_that_is_taken_is_answered_with_its_holder()
    {
        var school = await catalog.NewSchoolAsync();
        var course = await catalog.NewCourseAsync();
        var version = await catalog.NewVersionAsync(course.Id);

        var code = await Refused.ByAsync(catalog.Writer.CreateSchoolAsync(new() { RequestId = NewId(), School = new() { Name = "Another", Code = school.Code } }, cancellationToken: Cancel));
        var number = await Refused.ByAsync(catalog.Writer.CreateCourseAsync(new() { RequestId = NewId(), Course = new() { MaslNumber = course.MaslNumber } }, cancellationToken: Cancel));
        var year = await Refused.ByAsync(catalog.Writer.CreateCourseVersionAsync(
            new() { RequestId = NewId(), CourseVersion = new() { CourseId = course.Id, FiscalYear = version.FiscalYear, Title = "Again" } }, cancellationToken: Cancel));

        Assert.Equal((StatusCode.AlreadyExists, "SCHOOL_CODE_TAKEN", school.Id), (code.Code, code.Reason, code.Metadata["id"]));
        Assert.Equal((StatusCode.AlreadyExists, "MASL_NUMBER_TAKEN", course.Id), (number.Code, number.Reason, number.Metadata["id"]));
        Assert.Equal((StatusCode.AlreadyExists, "COURSE_VERSION_EXISTS", version.Id), (year.Code, year.Reason, year.Metadata["id"]));
        Assert.Equal(2, (await catalog.Writer.GetCourseAsync(new() { CourseId = course.Id }, cancellationToken: Cancel)).Course.Version);
    }

    [Fact]
    public async Task Schools_without_a_code_do_not_stand_in_each_others_way()
    {
        var first = await catalog.NewSchoolAsync(s => s.Code = "");
        var second = await catalog.NewSchoolAsync(s => s.Code = "");
        Assert.NotEqual(first.Id, second.Id);
    }

    [Fact]
    public async Task An_external_id_means_one_resource_of_its_kind_and_source()
    {
        var name = new ExternalId { Source = "fmtr", Id = Unique("x-") };
        var school = await catalog.NewSchoolAsync(s => s.ExternalIds.Add(name));
        // Another kind, and another source, may have the same words.
        var course = await catalog.NewCourseAsync(c => c.ExternalIds.Add(name));
        var offering = await catalog.NewOfferingAsync(o => o.ExternalIds.Add(name));
        await catalog.NewSchoolAsync(s => s.ExternalIds.Add(new ExternalId { Source = "san", Id = name.Id }));

        var another = new School { Name = Unique("School "), ExternalIds = { new ExternalId { Source = "a", Id = Unique("free-") }, name } };
        var refused = await Refused.ByAsync(catalog.Writer.CreateSchoolAsync(new() { RequestId = NewId(), School = another }, cancellationToken: Cancel));
        var refusedCourse = await Refused.ByAsync(catalog.Writer.CreateCourseAsync(
            new() { RequestId = NewId(), Course = new() { MaslNumber = Unique("T-"), ExternalIds = { name } } }, cancellationToken: Cancel));
        var again = AnOffering(offering.CourseVersionId);
        again.ExternalIds.Add(name);
        var refusedOffering = await Refused.ByAsync(catalog.Writer.CreateOfferingAsync(new() { RequestId = NewId(), Offering = again }, cancellationToken: Cancel));

        Assert.Equal((StatusCode.AlreadyExists, "EXTERNAL_ID_TAKEN", school.Id), (refused.Code, refused.Reason, refused.Metadata["id"]));
        Assert.Equal(("EXTERNAL_ID_TAKEN", course.Id), (refusedCourse.Reason, refusedCourse.Metadata["id"]));
        Assert.Equal(("EXTERNAL_ID_TAKEN", offering.Id), (refusedOffering.Reason, refusedOffering.Metadata["id"]));
        // A refusal leaves nothing behind: neither the school nor the free one of its two names.
        Assert.Empty((await catalog.Writer.ListSchoolsAsync(new() { NameContains = another.Name }, cancellationToken: Cancel)).Schools);
        await catalog.NewSchoolAsync(s => s.ExternalIds.Add(another.ExternalIds[0]));
    }

    [Fact]
    public async Task A_version_of_a_course_or_school_that_is_not_there_is_refused_by_name_and_changes_nothing()
    {
        var course = await catalog.NewCourseAsync();
        var nobody = NewId();

        var noCourse = await Refused.ByAsync(catalog.Writer.CreateCourseVersionAsync(
            new() { RequestId = NewId(), CourseVersion = new() { CourseId = nobody, FiscalYear = 2031, Title = "T" } }, cancellationToken: Cancel));
        var noSchool = await Refused.ByAsync(catalog.Writer.CreateCourseVersionAsync(
            new() { RequestId = NewId(), CourseVersion = new() { CourseId = course.Id, FiscalYear = 2031, Title = "T", SchoolId = nobody } }, cancellationToken: Cancel));

        Assert.Equal((StatusCode.FailedPrecondition, "REFERENCE_NOT_FOUND", "course_version.course_id", nobody), (noCourse.Code, noCourse.Reason, noCourse.Metadata["field"], noCourse.Metadata["id"]));
        Assert.Equal((StatusCode.FailedPrecondition, "REFERENCE_NOT_FOUND", "course_version.school_id", nobody), (noSchool.Code, noSchool.Reason, noSchool.Metadata["field"], noSchool.Metadata["id"]));
        var now = await catalog.Writer.GetCourseAsync(new() { CourseId = course.Id }, cancellationToken: Cancel);
        Assert.Equal((1, 0), (now.Course.Version, now.Versions.Count));
    }

    [Fact]
    public async Task Of_many_who_create_one_MASL_number_at_once_one_wins_and_all_others_learn_who()
    {
        var number = Unique("T-");
        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(CreateAsync));

        var winner = Assert.Single(answers, answer => answer.Course is not null).Course!;
        Assert.All(answers.Where(answer => answer.Course is null), answer => Assert.Equal(("MASL_NUMBER_TAKEN", winner.Id), (answer.Refused!.Reason, answer.Refused.Metadata["id"])));

        async Task<(Course? Course, Refused? Refused)> CreateAsync(int i)
        {
            try
            {
                var course = new Course { MaslNumber = number, ExternalIds = { new ExternalId { Source = "race", Id = number } } };
                return ((await catalog.At(i % 2).CreateCourseAsync(new() { RequestId = NewId(), Course = course }, cancellationToken: Cancel)).Course, null);
            }
            catch (RpcException e)
            {
                return (null, Refused.Of(e));
            }
        }
    }

    [Fact]
    public async Task A_look_up_names_exactly_one_key_and_finds_it_or_nothing()
    {
        var course = await catalog.NewCourseAsync();
        var none = await Refused.ByAsync(catalog.Writer.GetCourseAsync(new(), cancellationToken: Cancel));
        var two = await Refused.ByAsync(catalog.Writer.GetCourseAsync(new() { CourseId = course.Id, MaslNumber = course.MaslNumber }, cancellationToken: Cancel));
        var absent = await Refused.ByAsync(catalog.Writer.GetCourseAsync(new() { CourseId = NewId() }, cancellationToken: Cancel));
        var unnamed = await Refused.ByAsync(catalog.Writer.GetCourseAsync(new() { ExternalId = new() { Source = "fmtr", Id = Unique("none-") } }, cancellationToken: Cancel));

        Assert.Equal(["course_id", "masl_number", "external_id"], none.Fields);
        Assert.Equal(["course_id", "masl_number"], two.Fields);
        Assert.Equal((StatusCode.NotFound, "NOT_FOUND", "course"), (absent.Code, absent.Reason, absent.Metadata["resource"]));
        Assert.Equal((StatusCode.NotFound, "NOT_FOUND", "course"), (unnamed.Code, unnamed.Reason, unnamed.Metadata["resource"]));
    }

    [Fact]
    public async Task Everything_wrong_with_a_version_is_said_at_once()
    {
        var course = await catalog.NewCourseAsync();
        var version = new CourseVersion
        {
            CourseId = course.Id, FiscalYear = 2031, Title = "T",
            Prices =
            {
                new TuitionPrice { Rate = "FULL", Price = new Money { CurrencyCode = "USD", Units = -1 } },
                new TuitionPrice { Rate = "FULL", Price = new Money { CurrencyCode = "USD", Nanos = -1 } },
            },
        };
        var refused = await Refused.ByAsync(catalog.Writer.CreateCourseVersionAsync(new() { RequestId = NewId(), CourseVersion = version }, cancellationToken: Cancel));

        Assert.Equal((StatusCode.InvalidArgument, "INVALID_FIELDS"), (refused.Code, refused.Reason));
        Assert.Equal(["course_version.prices[0].price", "course_version.prices[1].rate", "course_version.prices[1].price"], refused.Fields);
    }

    [Fact]
    public async Task Everything_malformed_in_a_school_is_said_at_once()
    {
        var refused = await Refused.ByAsync(catalog.Writer.CreateSchoolAsync(
            new() { RequestId = "today", School = new() { Code = "no spaces", Location = new string('x', 201), ExternalIds = { new ExternalId { Source = "fmtr" } } } }, cancellationToken: Cancel));

        Assert.Equal((StatusCode.InvalidArgument, "INVALID_FIELDS"), (refused.Code, refused.Reason));
        Assert.Equal(["request_id", "school.code", "school.external_ids[0].id", "school.location", "school.name"], refused.Fields.Order(StringComparer.Ordinal));
    }
}
