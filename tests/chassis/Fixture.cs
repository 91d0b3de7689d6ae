global using Xunit;

using Imet.Testing;

[assembly: AssemblyFixture(typeof(Servers))]
