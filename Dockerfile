# syntax=docker/dockerfile:1
# One recipe for the three services and the command line:
#   docker build --build-arg SERVICE=enrollment --target enrollment -t imet/enrollment:0.1.0 .
# Without Docker the same images come from: dotnet publish services/enrollment -c Release /t:PublishContainer
FROM mcr.microsoft.com/dotnet/sdk:10.0-noble AS build
ARG SERVICE
WORKDIR /imet
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY protos protos
COPY services services
RUN --mount=type=cache,target=/root/.nuget/packages dotnet publish services/$SERVICE -c Release -o /app -p:RestoreLockedMode=true

# No shell and no package manager; with time zones, since a fiscal year ends at midnight in Washington.
FROM mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled-extra AS runtime
WORKDIR /app
ENV DOTNET_EnableDiagnostics=0
USER 10001:10001

FROM runtime AS country-eligibility
COPY --from=build /app .
ENTRYPOINT ["dotnet", "Imet.CountryEligibility.dll"]

FROM runtime AS course-catalog
COPY --from=build /app .
ENTRYPOINT ["dotnet", "Imet.CourseCatalog.dll"]

FROM runtime AS enrollment
COPY --from=build /app .
ENTRYPOINT ["dotnet", "Imet.Enrollment.dll"]

FROM runtime AS cli
COPY --from=build /app .
ENTRYPOINT ["dotnet", "imet.dll"]
