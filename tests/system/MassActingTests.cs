using Imet.Cli;
using Imet.Enrollment.V1;
using Imet.Testing;
using Xunit;

namespace Imet.SystemTests;

/// <summary>The operator's switch, as an operator throws it.</summary>
public sealed class MassActingTests(Servers servers)
{
    [Fact]
    public async Task One_command_halts_all_mass_acting_and_another_lets_it_go_on()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var stack = await TestStack.StartAsync(servers, new(), cancel);
        var halted = await Command.RunAsync(servers, stack, cancel, "halt", "The wrong country was suspended.");
        Assert.Equal((ExitCode.Done, true), (halted.Code, halted.Output.Contains("HALTED", StringComparison.Ordinal)));
        Assert.True((await stack.Anybody("operator").Enrollment.GetMassActingAsync(new GetMassActingRequest(), cancellationToken: cancel)).MassActing.Halted);
        var resumed = await Command.RunAsync(servers, stack, cancel, "resume", "It was the right one.");
        Assert.Equal((ExitCode.Done, true), (resumed.Code, resumed.Output.Contains("is on", StringComparison.Ordinal)));
        Assert.Equal(ExitCode.CouldNotRun, (await Command.RunAsync(servers, stack, cancel, "halt")).Code);
    }
}
