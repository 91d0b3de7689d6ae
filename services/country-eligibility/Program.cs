using Imet.Chassis;
using Imet.CountryEligibility;
using Imet.CountryEligibility.V1;
using CountryEligibilityService = Imet.CountryEligibility.CountryEligibilityService;

var host = ServiceHost.Create(args, "country-eligibility", "eligibility", typeof(EligibilityStore).Assembly)
    .MapService<CountryEligibilityService>(CountryEligibilityServiceReflection.Descriptor.Services[0])
    .AddDueWork<CountryDays>()
    .AddDueWork<EmergencyLapse>()
    .AddBackground<SnapshotPolling>()
    .AddReadiness<SnapshotReadiness>("snapshot");
// Where enrollment runs it must hear of every change; a stack of this service alone turns it off.
if (host.Settings.GetValue("Events:EnrollmentListens", true))
    host.RequireRoute("country.#");
host.Services
    .AddSingleton<EligibilityStore>()
    .AddSingleton<EligibilitySnapshot>();
return await host.RunAsync();
