using System.Runtime.InteropServices;

namespace Imet.Local;

/// <summary>Looks for what usually keeps a stack from starting, and says what to do about it.</summary>
internal static class Doctor
{
    private const long LeastBytes = 1L << 30;

    public static int Examine(string folder)
    {
        var well = Check(".NET", Environment.Version.Major >= 10, RuntimeInformation.FrameworkDescription, "install the .NET 10 SDK");
        well &= Check("PostgreSQL", Programs.FindPostgres() is not null, $"{Programs.FindPostgres()}", "./dev up installs it, or: apt-get install postgresql");
        well &= Check("RabbitMQ", Programs.FindRabbitMq() is not null, $"{Programs.FindRabbitMq()}", "./dev up installs it, or: apt-get install rabbitmq-server");
        well &= Check("time zones", File.Exists("/usr/share/zoneinfo/America/New_York"), "/usr/share/zoneinfo", "apt-get install tzdata");
        var disk = new DriveInfo(Path.GetDirectoryName(folder)!);
        well &= Check("disk", disk.AvailableFreeSpace > LeastBytes, $"{disk.AvailableFreeSpace >> 20} MiB free", "free at least 1 GiB, or RabbitMQ stops taking messages");
        var stack = new Stack(folder);
        foreach (var house in House.All)
        {
            var ours = stack.Process(house) is { IsAlive: true };
            foreach (var port in new[] { stack.GrpcPort(house), stack.HttpPort(house) })
                well &= Check($"port {port}", ours || Ports.IsFree(port), ours ? $"{house.Name} runs" : "free", $"taken by {Ports.Holder(port) ?? "another user's process"}: IMET_PORTS=6100 ./dev up");
        }
        return well ? 0 : 1;
    }

    private static bool Check(string what, bool well, string found, string advice)
    {
        Console.WriteLine($"  {(well ? "ok" : "--"),-3} {what,-12} {(well ? found : advice)}");
        return well;
    }
}
