export type LogLevel = "INFO" | "WARNING" | "ERROR";

const LOCATION_WIDTH = 15;

const twoDigits = (n: number): string => String(n).padStart(2, "0");

/** `2025-08-30 14:03:09`, local time. */
export const formatTimestamp = (time: Date): string =>
  `${time.getFullYear()}-${twoDigits(time.getMonth() + 1)}-${twoDigits(time.getDate())} ` +
  `${twoDigits(time.getHours())}:${twoDigits(time.getMinutes())}:${twoDigits(time.getSeconds())}`;

/**
 * One line of the console log: level, local time, the last 15 characters of the place in the source, message.
 *
 * @param location `path:line` of the caller; shorter ones are padded on the left so that messages line up
 *
 * Reference: `init_logging` of LeRobot 0.4.4, `utils/utils.py`.
 */
export const formatLogMessage = (level: LogLevel, time: Date, location: string, message: string): string =>
  `${level} ${formatTimestamp(time)} ${location.slice(-LOCATION_WIDTH).padStart(LOCATION_WIDTH)} ${message}`;
