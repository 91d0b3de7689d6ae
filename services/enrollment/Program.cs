using Imet.Chassis;
using Imet.CountryEligibility.V1;
using Imet.CourseCatalog.V1;
using Imet.Enrollment;
using Imet.Enrollment.Audit;
using Imet.Enrollment.Bars;
using Imet.Enrollment.Charges;
using Imet.Enrollment.Affected;
using Imet.Enrollment.Countries;
using Imet.Enrollment.Allocations;
using Imet.Enrollment.Gates;
using Imet.Enrollment.History;
using Imet.Enrollment.Offerings;
using Imet.Enrollment.Orders;
using Imet.Enrollment.Preview;
using Imet.Enrollment.Reexamination;
using Imet.Enrollment.School;
using Imet.Enrollment.Seats;
using Imet.Enrollment.Students;
using Imet.Enrollment.Tracks;
using Imet.Enrollment.Units;
using Imet.Enrollment.V1;
using Imet.Enrollment.Waitlist;
using EnrollmentService = Imet.Enrollment.EnrollmentService;

var host = ServiceHost.Create(args, "enrollment", "enrollment", typeof(EnrollmentService).Assembly)
    .AddPeer<CountryEligibilityService.CountryEligibilityServiceClient>("country-eligibility")
    .AddPeer<CourseCatalogService.CourseCatalogServiceClient>("course-catalog")
    .Consume<CountryChanges>("imet.country-eligibility.v1", "country.#")
    .Consume<OfferingChanges>("imet.course-catalog.v1", "offering.#")
    .AddDueWork<CountryReexamination>()
    .AddDueWork<OfferingReexamination>()
    .AddDueWork<DateConflicts>()
    .AddDueWork<QuotaOpening>()
    .AddDueWork<SeatOffers>()
    .AddDueWork<OfferExpiry>()
    .AddDueWork<GateReexamination>()
    .RefuseConstraint("ceilings_never_overspent", EnrollmentService.FundsExceeded)
    .AddBackground<Reconciler>()
    .AddBackground<Sealer>()
    .AddBackground<Retention>()
    .AddBackground<Refilling>()
    .AddBackground<MassActingWatch>()
    .MapService<EnrollmentService>(EnrollmentServiceReflection.Descriptor.Services[0]);
host.Services
    .AddSingleton<EnrollmentStore>()
    .AddSingleton<StudentStore>()
    .AddSingleton<UnitStore>()
    .AddSingleton<BarStore>()
    .AddSingleton<AuditStore>()
    .AddSingleton<HistoryStore>()
    .AddSingleton<ChargeStore>()
    .AddSingleton<AllocationStore>()
    .AddSingleton<Purging>()
    .AddSingleton<RosterStore>()
    .AddSingleton<RemovalStore>()
    .AddSingleton<GateStore>()
    .AddSingleton<GateRoom>()
    .AddSingleton<GateWork>()
    .AddSingleton<OrdersStore>()
    .AddSingleton<MassActingSwitch>()
    .AddSingleton<RestoreStore>()
    .AddSingleton<AffectedStore>()
    .AddSingleton<Previewing>()
    .AddSingleton<OfferingStore>()
    .AddSingleton<SeatStore>()
    .AddSingleton<SeatRoom>()
    .AddSingleton<WaitlistStore>()
    .AddSingleton<CountryStore>()
    .AddSingleton<OfferingCopies>()
    .AddSingleton<EnrollmentFacts>()
    .AddSingleton<CountryLearning>();
return await host.RunAsync();
