// Times in the viewer's zone; exchange time stays in the title.

const formats = {
  day: new Intl.DateTimeFormat("en-US", { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
};

export function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = formats.day.format(new Date(time.dateTime));
  }
}
