using Imet.Testing;

namespace Imet.Chassis.Tests;

// Failpoints are the process's: a host that another test starts meanwhile would set them anew.
[CollectionDefinition("Failpoints", DisableParallelization = true)]
[Collection("Failpoints")]
public sealed class FailpointsTests
{
    [Fact]
    public async Task A_pause_says_that_it_was_reached_and_lasts_until_its_file_is_gone()
    {
        var file = Path.Combine(Path.GetTempPath(), $"imet-pause-{Guid.NewGuid():N}");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        Failpoints.Configure([new("test.pause", $"pause:{file}"), new("test.delay", "delay:1")]);
        try
        {
            Assert.True(Failpoints.HitAsync("test.other").IsCompletedSuccessfully);
            await Failpoints.HitAsync("test.delay");
            var paused = Failpoints.HitAsync("test.pause");
            await Eventually.TrueAsync(() => File.Exists($"{file}.hit"), TestContext.Current.CancellationToken);
            Assert.False(paused.IsCompleted);
            File.Delete(file);
            await paused;
            await Failpoints.HitAsync("test.pause");
        }
        finally
        {
            Failpoints.Configure([]);
            File.Delete($"{file}.hit");
        }
    }
}
