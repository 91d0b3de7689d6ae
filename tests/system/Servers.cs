using Imet.Testing;
using Xunit;

[assembly: AssemblyFixture(typeof(Servers))]
