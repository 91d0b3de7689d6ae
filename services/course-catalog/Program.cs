using Imet.Chassis;
using Imet.CourseCatalog.V1;

var host = ServiceHost.Create(args, "course-catalog", "catalog", typeof(Program).Assembly)
    .Consume<Imet.CourseCatalog.SeatsTaken>("imet.enrollment.v1", "training-line.#", "offering-seats.#")
    .AddDueWork<Imet.CourseCatalog.TakeOver>()
    .MapService<Imet.CourseCatalog.CourseCatalogService>(CourseCatalogServiceReflection.Descriptor.Services[0]);
return await host.RunAsync();
